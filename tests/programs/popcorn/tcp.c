/* A TCP server: each byte that a client sends is answered by a line `N on ISA`, N counting all answers. Connections
 * stay open until the client closes; at most 16 at a time.
 *
 * tcp [PORT]: on all IPv4 addresses (7000). */
#include "runtime.h"

enum { kClients = 16, kSockStream = 1, kSockNonblock = 04000, kAfInet = 2, kSolSocket = 1, kSoReuseaddr = 2 };

static struct pollfd polled[1 + kClients]; /* the listening one first; unused ones have fd -1 */

static void listen_on(uint16_t port) {
    struct {
        uint16_t family, port;
        uint32_t address, zero[2];
    } address = {kAfInet, (uint16_t)(port << 8 | port >> 8), 0, {0, 0}};
    int one = 1;
    long fd = system_call(__NR_socket, kAfInet, kSockStream | kSockNonblock, 0, 0, 0, 0);
    system_call(__NR_setsockopt, fd, kSolSocket, kSoReuseaddr, (long)&one, sizeof one, 0);
    long result = system_call(__NR_bind, fd, (long)&address, sizeof address, 0, 0, 0);
    if (result == 0) result = system_call(__NR_listen, fd, kClients, 0, 0, 0, 0);
    if (result != 0) popcorn_fail("answer of bind or listen", (uint64_t)result, 0);
    for (unsigned i = 0; i <= kClients; i++) polled[i] = (struct pollfd){i == 0 ? (int)fd : -1, POLLIN, 0};
}

static void accept_client(void) {
    long fd = system_call(__NR_accept4, polled[0].fd, 0, 0, kSockNonblock, 0, 0);
    if (fd < 0) return;
    for (unsigned i = 1; i <= kClients; i++)
        if (polled[i].fd < 0) {
            polled[i].fd = (int)fd;
            return;
        }
    sys_close((int)fd);
}

/* Gives how many bytes were answered. */
static uint64_t answer(struct pollfd *client, uint64_t count) {
    char byte;
    uint64_t answers = 0;
    long got;
    while ((got = sys_read(client->fd, &byte, 1)) == 1) {
        struct text line = {0};
        text_decimal(&line, (int64_t)(count + answers++));
        text_string(&line, " on " POPCORN_ISA "\n");
        text_write(&line, client->fd);
    }
    if (got == -kEagain || got == -kEintr) return answers;
    sys_close(client->fd);
    client->fd = -1;
    return answers;
}

POPCORN_FUNCTION int popcorn_main(int argc, char **argv, char **environment) {
    uint64_t count = 0;
    (void)environment;
#define LIVE count
    POPCORN_BEGIN(popcorn_main)
    const struct signal_action ignore = {(void (*)(int, void *, void *))1, 0, NULL, 0};
    sys_signal_action(13 /* SIGPIPE */, &ignore, NULL);
    listen_on((uint16_t)(argc > 1 ? number_from(argv[1], 7000) : 7000));
    for (;;) {
        POPCORN_POINT(1);
        if (sys_poll(polled, 1 + kClients, kPopcornSlice) <= 0) continue;
        if (polled[0].revents != 0) accept_client();
        for (unsigned i = 1; i <= kClients; i++)
            if (polled[i].fd >= 0 && polled[i].revents != 0) count += answer(&polled[i], count);
    }
    POPCORN_END
#undef LIVE
}
