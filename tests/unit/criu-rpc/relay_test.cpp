// The relay runs in a thread of this process, which is also the client; criu is a real child process that speaks its
// side of the protocol as each test needs it.
#include "criu-rpc/relay.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <thread>

namespace hrunc::criu_rpc {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RecordingHooks : public Hooks {
  public:
    Result<void> before_dump(Options &options) override {
        calls.push_back("before_dump");
        if (during) during();
        if (!refusal.empty()) return Error(ErrorCode::kRefused, refusal);
        options.set_tcp_established(true);
        return {};
    }
    Result<void> before_restore(Options &options, const std::function<bool()> &) override {
        calls.push_back("before_restore");
        if (during) during();
        if (!refusal.empty()) return Error(ErrorCode::kRefused, refusal);
        options.set_root("/edited");
        return {};
    }
    void after_dump(const Response &response) override {
        calls.push_back(response.success() ? "after_dump: done" : "after_dump: failed");
    }
    void after_restore(const Response &response) override {
        calls.push_back(response.success() ? "after_restore: done" : "after_restore: failed");
    }
    void ended_without_answer() override { calls.push_back("ended_without_answer"); }
    void version(const Version &version) override {
        calls.push_back("version " + std::to_string(version.major_number()));
    }

    void notification(const Notification &notification) override {
        calls.push_back("notification " + notification.script());
    }

    std::vector<std::string> calls;
    std::string refusal;
    std::function<void()> during;
};

// What criu does with its end of the socket, in its own process. It ends with the code that this gives.
using CriuPart = std::function<int(const Fd &socket)>;

class RelayTest : public ::testing::Test {
  protected:
    void start(const CriuPart &part) {
        auto runc = make_socket_pair();
        auto criu = make_socket_pair();
        ASSERT_TRUE(runc.ok() && criu.ok());
        client = std::move(runc->first);
        int ready[2];
        ASSERT_EQ(pipe(ready), 0);
        criu_pid = fork();
        ASSERT_GE(criu_pid, 0);
        if (criu_pid == 0) {
            client.reset();
            runc->second.reset();
            criu->first.reset();
            close(ready[0]);
            close(ready[1]);
            _exit(part(criu->second));
        }
        // While the child has a copy of the client's end, that one is not closed.
        close(ready[1]);
        char none;
        ASSERT_EQ(read(ready[0], &none, 1), 0);
        close(ready[0]);
        criu->second.reset();
        Fd process(static_cast<int>(syscall(SYS_pidfd_open, criu_pid, 0)));
        relay = std::thread(
            [this, ends = Ends{std::move(runc->second), std::move(criu->first), std::move(process)}]() mutable {
                Result<void> result = Relay(std::move(ends), hooks).run();
                if (!result) error = result.error().text();
            });
    }

    void TearDown() override {
        client.reset();
        if (relay.joinable()) relay.join();
        if (criu_pid > 0) waitpid(criu_pid, nullptr, 0);
    }

    void say(const std::string &bytes) { ASSERT_TRUE(send(client, Datagram{bytes, {}}).ok()); }
    void request(int type, bool with_options = true) {
        Request message;
        message.set_type(type);
        if (with_options) message.mutable_opts()->set_pid(1);
        say(to_bytes(message));
    }
    // Nothing at the end.
    std::optional<Response> hear() {
        auto datagram = receive(client);
        if (!datagram.ok() || !datagram->has_value()) return std::nullopt;
        auto response = parse_response((*datagram)->bytes);
        EXPECT_TRUE(response.ok());
        return response.ok() ? std::optional(std::move(*response)) : std::nullopt;
    }
    void finish() {
        relay.join();
        client.reset();
    }

    RecordingHooks hooks;
    Fd client;
    pid_t criu_pid = 0;
    std::thread relay;
    std::string error;
};

std::string response(int type, bool success) {
    Response message;
    message.set_type(type);
    message.set_success(success);
    return to_bytes(message);
}

std::string notification(const std::string &script) {
    Response message;
    message.set_type(kNotify);
    message.set_success(true);
    message.mutable_notify()->set_script(script);
    return to_bytes(message);
}

std::string notify_answer() {
    return std::string("\x08\x06\x18\x01", 4); // type NOTIFY, notify_success
}

// A criu that takes one request, sends what it is told to, waiting for the answer to each notification, and ends.
CriuPart criu_that_says(const std::vector<std::string> &messages) {
    return [messages](const Fd &socket) {
        if (!receive(socket).value()) return 1;
        for (const std::string &message : messages) {
            if (!send(socket, Datagram{message, {}}).ok()) return 2;
            if (parse_response(message)->type() == kNotify && !receive(socket).value()) return 3;
        }
        return receive(socket).value() ? 4 : 0;
    };
}

int exit_code_of(pid_t &pid) {
    int status = 0;
    waitpid(std::exchange(pid, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(RelayTest, PassesWhatItDoesNotKnowByteForByteBothWays) {
    // Field 99 and an order of fields that no serializer makes.
    const std::string question("\x98\x06\x05\x08\x09", 5), answer("\x10\x01\x98\x06\x05\x08\x09", 7);
    start([&](const Fd &socket) {
        auto heard = receive(socket);
        if (!heard.ok() || !*heard || (*heard)->bytes != question) return 1;
        return send(socket, Datagram{answer, {}}).ok() ? 0 : 2;
    });
    say(question);
    auto heard = receive(client);
    ASSERT_TRUE(heard.ok() && heard->has_value());
    EXPECT_EQ((*heard)->bytes, answer);
    EXPECT_FALSE(hear());
    finish();
    EXPECT_THAT(hooks.calls, IsEmpty());
    EXPECT_EQ(exit_code_of(criu_pid), 0);
    EXPECT_EQ(error, "");
}

TEST_F(RelayTest, HooksStandAroundADump) {
    start(criu_that_says({notification("pre-dump"), notification("post-dump"), response(kDump, true)}));
    request(kDump);
    EXPECT_EQ(hear()->notify().script(), "pre-dump");
    say(notify_answer());
    EXPECT_EQ(hear()->notify().script(), "post-dump");
    say(notify_answer());
    EXPECT_TRUE(hear()->success());
    shutdown(client.get(), SHUT_WR);
    EXPECT_FALSE(hear());
    finish();
    EXPECT_THAT(hooks.calls,
                ElementsAre("before_dump", "notification pre-dump", "notification post-dump", "after_dump: done"));
    EXPECT_EQ(exit_code_of(criu_pid), 0);
}

TEST_F(RelayTest, HooksMayEditTheOptions) {
    start([](const Fd &socket) {
        auto heard = parse_request(receive(socket).value()->bytes);
        bool edited = heard->opts().root() == "/edited" && heard->opts().pid() == 1;
        return send(socket, Datagram{response(kRestore, edited), {}}).ok() ? 0 : 1;
    });
    request(kRestore);
    EXPECT_TRUE(hear()->success());
    finish();
    EXPECT_THAT(hooks.calls, ElementsAre("before_restore", "after_restore: done"));
}

TEST_F(RelayTest, ADumpMayFollowPreDumpsOnOneConnection) {
    start([](const Fd &socket) {
        for (int type : {int{kPreDump}, int{kPreDump}, int{kDump}}) {
            if (parse_request(receive(socket).value()->bytes)->type() != type) return 1;
            if (!send(socket, Datagram{response(type, true), {}}).ok()) return 2;
        }
        return 0;
    });
    for (int type : {int{kPreDump}, int{kPreDump}, int{kDump}}) {
        request(type);
        EXPECT_EQ(hear()->type(), type);
    }
    finish();
    EXPECT_THAT(hooks.calls, ElementsAre("before_dump", "after_dump: done"));
}

TEST_F(RelayTest, ARefusalIsCriusAnswerAndCriuNeverSeesTheRequest) {
    hooks.refusal = "process 7 (/bin/sh) has no migratable binary";
    start([](const Fd &socket) { return receive(socket).value() ? 1 : 0; });
    request(kDump);
    std::optional<Response> answer = hear();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->type(), kDump);
    EXPECT_FALSE(answer->success());
    EXPECT_EQ(answer->cr_errno(), EINVAL);
    EXPECT_EQ(answer->cr_errmsg(), "process 7 (/bin/sh) has no migratable binary");
    EXPECT_FALSE(hear());
    finish();
    EXPECT_THAT(hooks.calls, ElementsAre("before_dump"));
    EXPECT_EQ(exit_code_of(criu_pid), 0);
}

TEST_F(RelayTest, CriuFindsTheClientsDescriptorsInTheRelay) {
    auto directory = open_file("/proc/self", O_RDONLY | O_DIRECTORY);
    ASSERT_TRUE(directory.ok());
    start([](const Fd &socket) {
        auto heard = parse_request(receive(socket).value()->bytes);
        ucred peer{};
        socklen_t size = sizeof peer;
        getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size);
        std::string path =
            "/proc/" + std::to_string(peer.pid) + "/fd/" + std::to_string(heard->opts().images_dir_fd()) + "/comm";
        bool found = open_file(path, O_RDONLY).ok();
        return send(socket, Datagram{response(kDump, found), {}}).ok() ? 0 : 1;
    });
    Request message;
    message.set_type(kDump);
    message.mutable_opts()->set_images_dir_fd(directory->get());
    say(to_bytes(message));
    EXPECT_TRUE(hear()->success());
    finish();
}

TEST_F(RelayTest, ADescriptorThatTheClientDoesNotHaveIsRefused) {
    start([](const Fd &socket) { return receive(socket).value() ? 1 : 0; });
    Request message;
    message.set_type(kDump);
    message.mutable_opts()->set_images_dir_fd(9999);
    say(to_bytes(message));
    EXPECT_EQ(hear()->cr_errmsg(),
              "take descriptor 9999 of process " + std::to_string(getpid()) + ": Bad file descriptor");
    finish();
    EXPECT_THAT(hooks.calls, IsEmpty());
}

TEST_F(RelayTest, DescriptorsGoWithTheirMessageBothWays) {
    start([](const Fd &socket) {
        auto heard = receive(socket).value();
        Datagram message{notification("orphan-pts-master"), std::move(heard->descriptors)};
        return send(socket, message).ok() && receive(socket).value() ? 0 : 1;
    });
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    Fd read_end(ends[0]);
    Datagram message{std::string("\x08\x09", 2), {}};
    message.descriptors.emplace_back(ends[1]);
    ASSERT_TRUE(send(client, message).ok());
    auto back = receive(client);
    ASSERT_TRUE(back.ok() && back->has_value());
    ASSERT_EQ((*back)->descriptors.size(), 1u);
    ASSERT_TRUE(write_all((*back)->descriptors[0], "through").ok());
    char text[8] = {};
    EXPECT_EQ(read(read_end.get(), text, sizeof text), 7);
    say(notify_answer());
    EXPECT_FALSE(hear());
    finish();
    EXPECT_EQ(exit_code_of(criu_pid), 0);
}

TEST_F(RelayTest, NothingOfTheRelayKeepsThePipeOfAStatusDescriptorOpen) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    Fd read_end(ends[0]), write_end(ends[1]);
    auto part = criu_that_says({notification("status-ready"), response(kDump, true)});
    start([&, write = write_end.get()](const Fd &socket) {
        close(write);
        return part(socket);
    });
    Request message;
    message.set_type(kDump);
    message.mutable_opts()->set_status_fd(write_end.get());
    say(to_bytes(message));
    EXPECT_EQ(hear()->notify().script(), "status-ready");
    write_end.reset();
    char byte;
    EXPECT_EQ(read(read_end.get(), &byte, 1), 0);
    say(notify_answer());
    EXPECT_TRUE(hear()->success());
}

TEST_F(RelayTest, TheVersionThatCriuTellsIsNoted) {
    Response message;
    message.set_type(kVersion);
    message.set_success(true);
    message.mutable_version()->set_major_number(4);
    message.mutable_version()->set_minor_number(2);
    start(criu_that_says({to_bytes(message)}));
    request(kVersion, false);
    EXPECT_EQ(hear()->version().minor_number(), 2);
    shutdown(client.get(), SHUT_WR);
    finish();
    EXPECT_THAT(hooks.calls, ElementsAre("version 4"));
}

TEST_F(RelayTest, WhatIsNoMessageEndsBothSides) {
    start([](const Fd &socket) { return receive(socket).value() ? 1 : 0; });
    say("\xff\xff\xff");
    EXPECT_FALSE(hear());
    finish();
    EXPECT_EQ(error, "request of 3 bytes: not a message of CRIU's protocol");
    EXPECT_EQ(exit_code_of(criu_pid), 0);
}

// Deaths, at every state.

TEST_F(RelayTest, CriuDiesBeforeTheRequest) {
    start([](const Fd &) { return 0; });
    EXPECT_FALSE(hear());
    finish();
    EXPECT_THAT(hooks.calls, IsEmpty());
}

TEST_F(RelayTest, CriuDiesBeforeItsAnswer) {
    start([](const Fd &socket) {
        static_cast<void>(receive(socket).ok());
        return raise(SIGKILL);
    });
    request(kRestore);
    EXPECT_FALSE(hear());
    finish();
    EXPECT_THAT(hooks.calls, ElementsAre("before_restore", "ended_without_answer"));
}

TEST_F(RelayTest, CriuDiesWhileATaskThatItForkedHoldsItsSocket) {
    start([](const Fd &socket) {
        static_cast<void>(receive(socket).ok());
        if (fork() == 0) {
            // Until the relay closes its end.
            static_cast<void>(receive(socket).ok());
            _exit(0);
        }
        return raise(SIGKILL);
    });
    request(kRestore);
    EXPECT_FALSE(hear());
    finish();
    EXPECT_THAT(hooks.calls, ElementsAre("before_restore", "ended_without_answer"));
}

TEST_F(RelayTest, CriuDiesDuringANotification) {
    start([](const Fd &socket) {
        static_cast<void>(receive(socket).ok());
        static_cast<void>(send(socket, Datagram{notification("network-lock"), {}}).ok());
        return raise(SIGKILL);
    });
    request(kDump);
    EXPECT_EQ(hear()->notify().script(), "network-lock");
    EXPECT_FALSE(hear());
    finish();
    EXPECT_THAT(hooks.calls, ElementsAre("before_dump", "notification network-lock", "ended_without_answer"));
}

TEST_F(RelayTest, CriusLastWordsBeforeItsEndCount) {
    start([](const Fd &socket) {
        static_cast<void>(receive(socket).ok());
        static_cast<void>(send(socket, Datagram{response(kDump, false), {}}).ok());
        return raise(SIGKILL);
    });
    request(kDump);
    EXPECT_FALSE(hear()->success());
    EXPECT_FALSE(hear());
    finish();
    EXPECT_THAT(hooks.calls, ElementsAre("before_dump", "after_dump: failed"));
}

TEST_F(RelayTest, TheClientDiesBeforeTheRequest) {
    start([](const Fd &socket) { return receive(socket).value() ? 1 : 0; });
    client.reset();
    finish();
    EXPECT_EQ(exit_code_of(criu_pid), 0);
    EXPECT_THAT(hooks.calls, IsEmpty());
}

TEST_F(RelayTest, TheClientDiesWhileAHookIsAtWork) {
    hooks.during = [this] { client.reset(); };
    start([](const Fd &socket) { return receive(socket).value() ? 1 : 0; });
    request(kDump);
    relay.join();
    EXPECT_EQ(exit_code_of(criu_pid), 0);
    EXPECT_THAT(hooks.calls, ElementsAre("before_dump", "ended_without_answer"));
}

TEST_F(RelayTest, TheClientDiesBeforeTheAnswerThatCriuStillGives) {
    start([](const Fd &socket) {
        static_cast<void>(receive(socket).ok());
        if (receive(socket).value()) return 1; // the client's end
        return send(socket, Datagram{response(kDump, false), {}}).ok() ? 0 : 2;
    });
    request(kDump);
    client.reset();
    finish();
    EXPECT_EQ(exit_code_of(criu_pid), 0);
    // The client may have been gone before the request was let through.
    EXPECT_EQ(hooks.calls.front(), "before_dump");
    EXPECT_EQ(hooks.calls.back(), "after_dump: failed");
}

TEST_F(RelayTest, TheClientDiesDuringANotification) {
    start([](const Fd &socket) {
        static_cast<void>(receive(socket).ok());
        static_cast<void>(send(socket, Datagram{notification("post-dump"), {}}).ok());
        if (receive(socket).value()) return 1;
        return send(socket, Datagram{response(kDump, false), {}}).ok() ? 0 : 2;
    });
    request(kDump);
    EXPECT_EQ(hear()->notify().script(), "post-dump");
    client.reset();
    finish();
    EXPECT_EQ(exit_code_of(criu_pid), 0);
    EXPECT_THAT(hooks.calls, ElementsAre("before_dump", "notification post-dump", "after_dump: failed"));
}

} // namespace
} // namespace hrunc::criu_rpc
