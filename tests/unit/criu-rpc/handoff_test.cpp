#include "criu-rpc/handoff.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

namespace hrunc::criu_rpc {
namespace {

class NoHooks : public Hooks {
  public:
    Result<void> before_dump(Options &) override { return {}; }
    Result<void> before_restore(Options &, const std::function<bool()> &) override { return {}; }
    void after_dump(const Response &) override {}
    void after_restore(const Response &) override {}
    void ended_without_answer() override {}
    void version(const Version &) override {}
    void notification(const Notification &) override {}
};

// What becomes criu: hands off and then answers one request with the pid of its socket's peer in cr_errno, and its own
// in restore.pid.
int be_started_as_criu(int socket) {
    Result<void> done = hand_off(socket, [](Ends ends) {
        NoHooks hooks;
        static_cast<void>(Relay(std::move(ends), hooks).run().ok());
    });
    if (!done) return 1;
    if (fcntl(socket, F_GETFD) != 0) return 2; // has to survive exec
    Fd own(socket);
    auto request = receive(own);
    if (!request.ok() || !*request) return 3;
    ucred peer{};
    socklen_t size = sizeof peer;
    getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size);
    Response response;
    response.set_type(kVersion);
    response.set_success(true);
    response.set_cr_errno(peer.pid);
    response.mutable_restore()->set_pid(getpid());
    return send(own, Datagram{to_bytes(response), {}}).ok() ? 0 : 4;
}

struct Started {
    pid_t pid = 0;
    Fd client, output; // `output`: a pipe whose other end is the started process's stdout
};

Started start() {
    auto pair = make_socket_pair();
    int ends[2];
    EXPECT_TRUE(pair.ok());
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    Started started;
    started.pid = fork();
    if (started.pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[1]);
        _exit(be_started_as_criu(pair->second.release()));
    }
    close(ends[1]);
    started.client = std::move(pair->first);
    started.output = Fd(ends[0]);
    return started;
}

int exit_code_of(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(HandOff, WhatWasStartedIsCriuAndTheRelayIsItsPeer) {
    Started started = start();
    Request request;
    request.set_type(kVersion);
    ASSERT_TRUE(send(started.client, Datagram{to_bytes(request), {}}).ok());
    auto datagram = receive(started.client);
    ASSERT_TRUE(datagram.ok() && datagram->has_value());
    auto response = parse_response((*datagram)->bytes);
    ASSERT_TRUE(response.ok());
    EXPECT_EQ(response->restore().pid(), started.pid);
    EXPECT_NE(response->cr_errno(), started.pid);
    EXPECT_NE(response->cr_errno(), getpid());
    EXPECT_EQ(exit_code_of(started.pid), 0);
}

TEST(HandOff, TheRelayHoldsNoneOfTheStartedProcessesDescriptors) {
    Started started = start();
    // Nothing was asked: the end of the client ends criu, though the relay may live a moment longer.
    ASSERT_EQ(shutdown(started.client.get(), SHUT_WR), 0);
    EXPECT_EQ(exit_code_of(started.pid), 3);
    char byte;
    EXPECT_EQ(read(started.output.get(), &byte, 1), 0);
}

TEST(HandOff, TheDeathOfTheRelayIsTheEndForBothSides) {
    auto pair = make_socket_pair();
    ASSERT_TRUE(pair.ok());
    pid_t pid = fork();
    if (pid == 0) {
        pair->first.reset();
        int socket = pair->second.release();
        Result<void> done = hand_off(socket, [](Ends) { raise(SIGKILL); });
        if (!done) _exit(1);
        Fd own(socket);
        auto heard = receive(own);
        _exit(heard.ok() && !*heard ? 0 : 2);
    }
    pair->second.reset();
    auto heard = receive(pair->first);
    ASSERT_TRUE(heard.ok());
    EXPECT_FALSE(heard->has_value());
    EXPECT_EQ(exit_code_of(pid), 0);
}

} // namespace
} // namespace hrunc::criu_rpc
