// The server is a child process; the test is its clients.
#include "shim/listeners.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>

namespace hrunc::shim {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

std::vector<sock_filter> filter_of(int socket) {
    std::vector<sock_filter> filter(BPF_MAXINSNS);
    socklen_t length = BPF_MAXINSNS;
    if (getsockopt(socket, SOL_SOCKET, SO_GET_FILTER, filter.data(), &length) != 0) length = 0;
    filter.resize(length);
    return filter;
}

// What a client that connects finds within a second, which is when it would ask again.
enum class Outcome { kConnected, kReset, kNothing };
Outcome outcome(const Fd &client, std::chrono::milliseconds time = 800ms) {
    pollfd writable{client.get(), POLLOUT, 0};
    if (poll(&writable, 1, static_cast<int>(time.count())) == 0) return Outcome::kNothing;
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(client.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    return error == 0 ? Outcome::kConnected : Outcome::kReset;
}

class ListenersTest : public ::testing::Test {
  protected:
    void SetUp() override {
        server_.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address = loopback(0);
        socklen_t size = sizeof address;
        ASSERT_EQ(bind(server_.get(), reinterpret_cast<sockaddr *>(&address), size), 0);
        ASSERT_EQ(listen(server_.get(), 16), 0);
        ASSERT_EQ(getsockname(server_.get(), reinterpret_cast<sockaddr *>(&address), &size), 0);
        port_ = ntohs(address.sin_port);
    }
    void TearDown() override { end(); }

    // The child accepts each time that it is told to.
    void start() {
        std::array<int, 2> ends{};
        ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
        child_ = fork();
        ASSERT_GE(child_, 0);
        if (child_ == 0) {
            close(ends[1]);
            for (char byte = 0; read(ends[0], &byte, 1) == 1;) accept(server_.get(), nullptr, nullptr);
            _exit(0);
        }
        close(ends[0]);
        orders_.reset(ends[1]);
    }
    void let_accept() const { ASSERT_EQ(write(orders_.get(), "a", 1), 1); }
    void end() {
        if (child_ > 0) {
            kill(child_, SIGKILL);
            waitpid(child_, nullptr, 0);
        }
        child_ = 0;
    }

    Fd connect_to_it() const {
        Fd client(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        sockaddr_in address = loopback(port_);
        connect(client.get(), reinterpret_cast<sockaddr *>(&address), sizeof address);
        return client;
    }
    std::vector<pid_t> pids() const { return {child_}; }
    Result<void> settle(Listeners &listeners, std::chrono::milliseconds time) const {
        return listeners.settle(child_, steady_clock::now() + time,
                                [this] { return Result<std::vector<pid_t>>(pids()); });
    }

    Fd server_; // the child's too
    std::uint16_t port_ = 0;
    pid_t child_ = 0;
    Fd orders_;
};

TEST_F(ListenersTest, ConnectionsWaitUntilTheyAreSetFree) {
    start();
    Result<Listeners> listeners = Listeners::hold(pids());
    ASSERT_TRUE(listeners.ok()) << listeners.error().text();
    Fd client = connect_to_it();
    EXPECT_EQ(outcome(client), Outcome::kNothing);
    ASSERT_TRUE(listeners->set_free().ok());
    EXPECT_EQ(outcome(client, 10s), Outcome::kConnected);
    EXPECT_TRUE(filter_of(server_.get()).empty());
    ASSERT_TRUE(listeners->set_free().ok());
}

TEST_F(ListenersTest, ConnectionsThatAreUnderWayAreWaitedFor) {
    start();
    Fd client = connect_to_it();
    ASSERT_EQ(outcome(client), Outcome::kConnected);
    Result<Listeners> listeners = Listeners::hold(pids());
    ASSERT_TRUE(listeners.ok()) << listeners.error().text();
    auto began = steady_clock::now();
    ASSERT_TRUE(settle(*listeners, 100ms).ok()); // nobody accepts
    EXPECT_GE(steady_clock::now() - began, 100ms);
    let_accept();
    ASSERT_TRUE(settle(*listeners, 1min).ok());
    EXPECT_LT(steady_clock::now() - began, 50s);
}

TEST_F(ListenersTest, AProgramsOwnFilterIsThereAgainAfterwards) {
    std::array<sock_filter, 2> own{{BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_RET | BPF_A, 0)}};
    sock_fprog program{own.size(), own.data()};
    ASSERT_EQ(setsockopt(server_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
    start();
    Result<Listeners> listeners = Listeners::hold(pids());
    ASSERT_TRUE(listeners.ok()) << listeners.error().text();
    EXPECT_GT(filter_of(server_.get()).size(), own.size());
    // What was taken twice, after a program was killed, is what it was after one step back.
    Result<Listeners> again = Listeners::hold(pids());
    ASSERT_TRUE(again.ok()) << again.error().text();
    ASSERT_TRUE(Listeners::set_free(pids()).ok());
    std::vector<sock_filter> after = filter_of(server_.get());
    ASSERT_EQ(after.size(), own.size());
    EXPECT_EQ(after[0].code, own[0].code);
    EXPECT_EQ(after[1].code, own[1].code);
    EXPECT_EQ(outcome(connect_to_it()), Outcome::kConnected);
}

TEST_F(ListenersTest, AFilterThatIsLockedStays) {
    std::array<sock_filter, 1> own{{BPF_STMT(BPF_RET | BPF_K, 0xffffffff)}};
    sock_fprog program{own.size(), own.data()};
    int yes = 1;
    ASSERT_EQ(setsockopt(server_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
    ASSERT_EQ(setsockopt(server_.get(), SOL_SOCKET, SO_LOCK_FILTER, &yes, sizeof yes), 0);
    start();
    Result<Listeners> listeners = Listeners::hold(pids());
    ASSERT_TRUE(listeners.ok()) << listeners.error().text();
    ASSERT_TRUE(settle(*listeners, 1min).ok());
    EXPECT_EQ(outcome(connect_to_it()), Outcome::kConnected);
    EXPECT_TRUE(listeners->set_free().ok());
}

TEST_F(ListenersTest, AConnectionThatWasNeverAcceptedIsReset) {
    start();
    Fd client = connect_to_it();
    ASSERT_EQ(outcome(client), Outcome::kConnected);
    Result<Listeners> listeners = Listeners::hold(pids());
    ASSERT_TRUE(listeners.ok()) << listeners.error().text();
    server_.reset();
    end();
    EXPECT_EQ(outcome(client), Outcome::kConnected);
    listeners->reset_waiting();
    EXPECT_EQ(outcome(client), Outcome::kReset);
}

TEST_F(ListenersTest, ProcessesThatAreGoneHaveNone) {
    start();
    std::vector<pid_t> gone = pids();
    end();
    EXPECT_TRUE(Listeners::hold(gone).ok());
    EXPECT_TRUE(Listeners::set_free(gone).ok());
}

} // namespace
} // namespace hrunc::shim
