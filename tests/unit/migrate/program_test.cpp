#include "migrate/program.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "migrate/host.h"

namespace hrunc::migrate {
namespace {

Argv sh(const std::string &script) {
    return Host::here().command(script);
}

void ignore(std::uint64_t) {}

TEST(Program, its_output_or_its_complaint_is_given) {
    EXPECT_EQ(*output_of(sh("echo out; echo err >&2"), 100), "out\n");
    EXPECT_EQ(output_of(sh("echo err >&2; exit 3"), 100).error().text(), "sh: err");
    EXPECT_EQ(output_of(sh("exit 3"), 100).error().text(), "sh: exit code 3");
    EXPECT_EQ(output_of(sh("yes"), 100).error().text(), "sh: more than 100 bytes of output");
    EXPECT_EQ(output_of({"/nowhere/x"}, 100).error().text(), "start \"/nowhere/x\": No such file or directory");
}

TEST(Program, endless_complaints_do_not_hold_it_up) {
    Result<Output> output = run_program(sh("yes | head -c 1000000 >&2; exit 4"), 100);
    ASSERT_TRUE(output);
    EXPECT_EQ(output->exit_code, 4);
    EXPECT_EQ(output->err.size(), 4096U);
}

TEST(Program, a_stream_is_passed_on_and_counted) {
    std::uint64_t last = 0;
    Result<std::uint64_t> bytes = run_joined(sh("head -c 3000000 /dev/zero"), sh("[ $(wc -c) = 3000000 ]"),
                                             [&last](std::uint64_t count) { last = count; });
    ASSERT_TRUE(bytes) << bytes.error().text();
    EXPECT_EQ(*bytes, 3000000U);
    EXPECT_EQ(last, 3000000U);
}

TEST(Program, a_stream_fails_with_either_end_and_the_sink_is_named_first) {
    HeldInterrupts held; // as in a migration: SIGPIPE is no end
    EXPECT_EQ(run_joined(sh("echo x; echo no >&2; exit 1"), sh("cat >/dev/null"), ignore).error().text(), "sh: no");
    EXPECT_EQ(
        run_joined(sh("cat /dev/zero"), sh("head -c 100 >/dev/null; echo full >&2; exit 1"), ignore).error().text(),
        "sh: full");
}

TEST(Program, an_interrupt_ends_what_waits_unless_it_is_disregarded) {
    HeldInterrupts held;
    raise(SIGINT);
    EXPECT_EQ(output_of(sh("sleep 100"), 100).error().text(), "interrupted");
    EXPECT_EQ(run_joined(sh("sleep 100"), sh("cat"), ignore).error().text(), "interrupted");
    DisregardedInterrupts disregarded;
    EXPECT_EQ(*output_of(sh("echo out"), 100), "out\n");
}

TEST(Program, a_peer_is_heard_and_its_end_is_seen) {
    HeldInterrupts held;
    Result<Peer> peer = Peer::start(sh("read line; echo \"got $line\"; echo gone >&2"));
    ASSERT_TRUE(peer);
    ASSERT_TRUE(peer->say("word\n"));
    std::string heard(100, '\0');
    Result<std::size_t> got = peer->hear(heard.data(), heard.size());
    ASSERT_TRUE(got);
    EXPECT_EQ(heard.substr(0, *got), "got word\n");
    EXPECT_EQ(*peer->hear(heard.data(), heard.size()), 0U);
    EXPECT_EQ(peer->complaint(), "gone");
}

TEST(Host, a_command_for_elsewhere_is_one_word_of_a_shell) {
    Host host = Host::at("root@pi", 2222, "/run/socket");
    Argv argv = host.command("echo 'a b'");
    EXPECT_EQ(argv.back(), "exec sh -c 'echo '\\''a b'\\'''");
    EXPECT_EQ(argv[argv.size() - 2], "root@pi");
    EXPECT_EQ(argv[argv.size() - 3], "--");
    EXPECT_EQ(*output_of(sh(argv.back()), 100), "a b\n");
}

} // namespace
} // namespace hrunc::migrate
