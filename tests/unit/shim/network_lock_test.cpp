// The container is a process with a network namespace of its own, in which nobody listens: who knocks is refused,
// unless nothing is delivered.
#include "shim/network_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <thread>

namespace hrunc::shim {
namespace {

bool start_loopback() {
    Fd any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    request.ifr_name[0] = 'l';
    request.ifr_name[1] = 'o';
    request.ifr_flags = IFF_UP;
    return ioctl(any.get(), SIOCSIFFLAGS, &request) == 0;
}

// The errno of a connect(2) to a port where nobody listens; ETIMEDOUT: no answer at all.
int knock(int family) {
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(7);
    six.sin6_addr = in6addr_loopback;
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_port = htons(7);
    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    Fd client(socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    int done = family == AF_INET ? connect(client.get(), reinterpret_cast<sockaddr *>(&four), sizeof four)
                                 : connect(client.get(), reinterpret_cast<sockaddr *>(&six), sizeof six);
    if (done != 0 && errno != EINPROGRESS) return errno;
    pollfd answered{client.get(), POLLOUT, 0};
    if (poll(&answered, 1, 300) == 0) return ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(client.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    return error;
}

class NetworkLockTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::array<int, 2> ends{};
        ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
        Fd read_end(ends[0]), write_end(ends[1]);
        task_ = fork();
        ASSERT_GE(task_, 0);
        if (task_ == 0) {
            if (unshare(CLONE_NEWNET) != 0 || !start_loopback()) _exit(1);
            if (write(write_end.get(), "", 1) == 1) pause();
            _exit(1);
        }
        write_end.reset();
        char ready = 0;
        ASSERT_EQ(read(read_end.get(), &ready, 1), 1) << "no network namespace: these tests need root";
    }

    void TearDown() override {
        if (task_ <= 0) return;
        kill(task_, SIGKILL);
        waitpid(task_, nullptr, 0);
    }

    // From inside the namespace; a thread can be in another one than the rest of its process.
    int knock_inside(int family) const {
        int outcome = 0;
        std::thread([&] {
            Result<Fd> space = open_file("/proc/" + std::to_string(task_) + "/ns/net", O_RDONLY);
            outcome = space && setns(space->get(), CLONE_NEWNET) == 0 ? knock(family) : errno;
        }).join();
        return outcome;
    }

    pid_t task_ = -1;
};

TEST_F(NetworkLockTest, NothingThatArrivesIsAnsweredUntilTheLockIsClosed) {
    for (int family : {AF_INET, AF_INET6}) ASSERT_EQ(knock_inside(family), ECONNREFUSED);
    Result<Fd> lock = lock_network_of(task_);
    ASSERT_TRUE(lock) << lock.error().text();
    for (int family : {AF_INET, AF_INET6}) EXPECT_EQ(knock_inside(family), ETIMEDOUT);
    lock->reset();
    for (int family : {AF_INET, AF_INET6}) EXPECT_EQ(knock_inside(family), ECONNREFUSED);
}

TEST_F(NetworkLockTest, TheLockEndsWithWhoMadeIt) {
    pid_t maker = fork();
    ASSERT_GE(maker, 0);
    if (maker == 0) {
        Result<Fd> lock = lock_network_of(task_);
        if (lock) raise(SIGKILL);
        _exit(1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(maker, &status, 0), maker);
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(knock_inside(AF_INET), ECONNREFUSED);
}

TEST_F(NetworkLockTest, TheCallerStaysInItsOwnNetwork) {
    std::array<char, 64> before{}, after{};
    ASSERT_GT(readlink("/proc/thread-self/ns/net", before.data(), before.size() - 1), 0);
    Result<Fd> lock = lock_network_of(task_);
    ASSERT_TRUE(lock) << lock.error().text();
    ASSERT_GT(readlink("/proc/thread-self/ns/net", after.data(), after.size() - 1), 0);
    EXPECT_STREQ(before.data(), after.data());
}

TEST_F(NetworkLockTest, TheCallersOwnNetworkIsRefused) {
    Result<Fd> lock = lock_network_of(getpid());
    ASSERT_FALSE(lock);
    EXPECT_EQ(lock.error().code(), ErrorCode::kRefused);
}

TEST_F(NetworkLockTest, AProcessThatIsGoneIsAnError) {
    kill(task_, SIGKILL);
    waitpid(task_, nullptr, 0);
    Result<Fd> lock = lock_network_of(task_);
    task_ = -1;
    ASSERT_FALSE(lock);
    EXPECT_EQ(lock.error().system_errno(), ENOENT);
}

} // namespace
} // namespace hrunc::shim
