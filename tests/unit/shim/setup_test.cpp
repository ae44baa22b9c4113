// hrunc setup as a command, on files of the test's own and with a dockerd and a docker that are scripts.
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "oci/json.h"
#include "temporary_directory.h"

namespace hrunc::shim {
namespace {

class Setup : public TemporaryDirectory {
  protected:
    void SetUp() override {
        TemporaryDirectory::SetUp();
        std::filesystem::create_directory(path("bin"));
        write("bin/docker", "#!/bin/sh\necho 'no daemon' >&2\nexit 1\n", 0755);
        write("bin/dockerd", "#!/bin/sh\necho 'configuration OK' >&2\n", 0755);
    }
    void TearDown() override {
        if (daemon_ > 0) kill(daemon_, SIGKILL);
        TemporaryDirectory::TearDown();
    }

    Outcome setup(std::vector<std::string> arguments = {}) const {
        std::vector<std::string> argv{HRUNC_PROGRAM, "setup", "--file", file()};
        argv.insert(argv.end(), arguments.begin(), arguments.end());
        return run({argv, {{"PATH", path("bin") + ":/usr/bin:/bin"}}, {}, {}});
    }
    std::string file() const { return path("daemon.json"); }
    std::string backup() const { return file() + ".before-hrunc"; }
    // What there is in the directory but for the test's own.
    std::vector<std::string> files() const {
        std::vector<std::string> names;
        for (const auto &entry : std::filesystem::directory_iterator(directory_))
            if (entry.path().filename().string().starts_with("daemon.json")) names.push_back(entry.path().filename());
        std::ranges::sort(names);
        return names;
    }

    // A dockerd that takes in the runtime at SIGHUP, and a docker that tells what it knows.
    void start_daemon(const std::string &options = "", const std::string &experimental = "true") {
        std::string info = R"({"ServerVersion":"26.1.5","ExperimentalBuild":)" + experimental + R"(,"Runtimes":{)";
        write("info", info + "}}");
        write("info-after", info + R"("hrunc":{"path":")" + HRUNC_PROGRAM + "\"}}}");
        write("bin/docker", "#!/bin/sh\ncat " + path("info") + "\n", 0755);
        write("bin/dockerd",
              "#!/bin/sh\n[ \"$1\" = --validate ] && exit\ntrap 'cp " + path("info-after") + " " + path("info") +
                  "; echo reloaded >>" + path("signals") + "' HUP\necho $$ >" + path("new-pid") + "; mv " +
                  path("new-pid") + " " + path("pid") + "\nwhile :; do sleep 0.02; done\n",
              0755);
        run({{"/bin/sh", "-c", path("bin/dockerd") + " --config-file " + file() + " " + options + " &"}, {}, {}, {}});
        for (int tries = 0; tries < 500 && daemon_ == 0; ++tries) {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
            daemon_ = std::atoi(read(path("pid")).c_str());
        }
        ASSERT_GT(daemon_, 0);
        write("daemon.json", R"({"pidfile": ")" + path("pid") + "\"}");
    }

    pid_t daemon_ = 0;
};

TEST_F(Setup, a_missing_file_is_made_and_removed_again) {
    Outcome outcome = setup();
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    Result<oci::Json> json = oci::read_json(file(), 4096);
    ASSERT_TRUE(json) << json.error().text();
    EXPECT_EQ((*json)["experimental"], true);
    EXPECT_EQ((*json)["runtimes"]["hrunc"]["path"], HRUNC_PROGRAM);
    EXPECT_EQ(outcome.output, file() + ": added experimental: true\n" + file() +
                                  ": added runtimes: {\"hrunc\":{\"path\":\"" HRUNC_PROGRAM "\"}}\nkept as it was: " +
                                  backup() + "\ndockerd does not run; it reads the file when it starts\n");
    EXPECT_EQ(setup({"--remove"}).exit_code, 0);
    EXPECT_EQ(files(), std::vector<std::string>());
}

TEST_F(Setup, a_missing_directory_is_made) {
    std::string inside = path("docker/daemon.json");
    EXPECT_EQ(run({{HRUNC_PROGRAM, "setup", "--file", inside}, {{"PATH", path("bin") + ":/bin"}}, {}, {}}).exit_code,
              0);
    EXPECT_TRUE(oci::read_json(inside, 4096));
}

TEST_F(Setup, in_a_missing_directory_there_is_nothing_to_remove) {
    Outcome outcome = run({{HRUNC_PROGRAM, "setup", "--remove", "--file", path("docker/daemon.json")}, {}, {}, {}});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_FALSE(std::filesystem::exists(path("docker")));
}

TEST_F(Setup, a_second_time_nothing_changes_and_the_first_backup_stays) {
    write("daemon.json", "{ \"debug\":  true }");
    EXPECT_EQ(setup().exit_code, 0);
    std::string once = read(file());
    Outcome outcome = setup();
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_EQ(outcome.output, file() + ": nothing to change\ndockerd does not run; it reads the file when it starts\n");
    EXPECT_EQ(read(file()), once);
    EXPECT_EQ(read(backup()), "{ \"debug\":  true }");
    EXPECT_EQ(setup({"--remove"}).exit_code, 0);
    EXPECT_EQ(read(file()), "{ \"debug\":  true }");
    EXPECT_EQ(files(), std::vector<std::string>{"daemon.json"});
}

TEST_F(Setup, mode_and_owner_stay_and_the_backup_has_them_too) {
    write("daemon.json", "{}", 0640);
    if (geteuid() == 0) {
        ASSERT_EQ(chown(file().c_str(), 12, 34), 0);
    }
    EXPECT_EQ(setup().exit_code, 0);
    for (const std::string &name : {file(), backup()}) {
        struct stat status{};
        ASSERT_EQ(stat(name.c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 07777U, 0640U);
        if (geteuid() == 0) {
            EXPECT_TRUE(status.st_uid == 12 && status.st_gid == 34);
        }
    }
}

TEST_F(Setup, a_dry_run_changes_nothing) {
    write("daemon.json", "{}");
    Outcome outcome = setup({"--dry-run"});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_TRUE(outcome.output.starts_with(file() + ": would have added experimental: true\n")) << outcome.output;
    EXPECT_EQ(read(file()), "{}");
    EXPECT_EQ(files(), std::vector<std::string>{"daemon.json"});
}

TEST_F(Setup, a_file_that_cannot_be_parsed_is_named_with_the_line_and_left_alone) {
    write("daemon.json", "{\n  \"debug\": tru\n}");
    Outcome outcome = setup();
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.errors, "hrunc: setup: \"" + file() + "\": line 2, column 15: not JSON\n");
    EXPECT_EQ(read(file()), "{\n  \"debug\": tru\n}");
    EXPECT_EQ(files(), std::vector<std::string>{"daemon.json"});
}

TEST_F(Setup, a_symbolic_link_is_not_followed) {
    write("elsewhere", "{}");
    std::filesystem::create_symlink(path("elsewhere"), file());
    Outcome outcome = setup();
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.errors,
              "hrunc: setup: \"" + file() + "\": is a symbolic link; name the file that it leads to with --file\n");
    EXPECT_EQ(read(path("elsewhere")), "{}");
    std::filesystem::remove(file());
    std::filesystem::create_symlink(path("elsewhere"), backup());
    EXPECT_EQ(setup().exit_code, 1);
    EXPECT_EQ(read(path("elsewhere")), "{}");
}

TEST_F(Setup, a_fifo_in_its_place_does_not_hold_it_up) {
    ASSERT_EQ(mkfifo(file().c_str(), 0600), 0);
    EXPECT_EQ(setup().errors, "hrunc: setup: \"" + file() + "\": not a regular file\n");
}

TEST_F(Setup, a_directory_that_others_can_write_to_is_refused) {
    ASSERT_EQ(chmod(directory_.c_str(), 0777), 0);
    Outcome outcome = setup();
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.errors,
              "hrunc: setup: directory \"" + directory_ + "\": others than root and who runs hrunc can write to it\n");
}

TEST_F(Setup, a_program_that_others_can_write_to_is_not_registered) {
    std::filesystem::copy_file(HRUNC_PROGRAM, path("hrunc"));
    ASSERT_EQ(chmod(path("hrunc").c_str(), 0777), 0);
    Outcome outcome = run({{path("hrunc"), "setup", "--file", file()}, {}, {}, {}});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_NE(outcome.errors.find("install it first"), std::string::npos) << outcome.errors;
    EXPECT_EQ(files(), std::vector<std::string>());
}

TEST_F(Setup, what_dockerd_says_of_the_new_file_counts) {
    write("bin/dockerd", "#!/bin/sh\necho warning >&2; echo 'unknown directive: fish' >&2; exit 1\n", 0755);
    write("daemon.json", R"({"fish": 1})");
    Outcome outcome = setup();
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.errors, "hrunc: setup: \"" + file() + "\": as it would be: dockerd: unknown directive: fish\n");
    EXPECT_EQ(read(file()), R"({"fish": 1})");
    EXPECT_EQ(files(), std::vector<std::string>{"daemon.json"});
    // Docker 20.10 has no --validate.
    write("bin/dockerd", "#!/bin/sh\necho 'unknown flag: --validate' >&2; exit 125\n", 0755);
    EXPECT_EQ(setup().exit_code, 0);
}

TEST_F(Setup, two_at_once_wait_for_each_other) {
    int directory = open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ASSERT_EQ(flock(directory, LOCK_EX), 0);
    std::atomic<bool> ended = false;
    std::thread second([&] {
        EXPECT_EQ(setup().exit_code, 0);
        ended = true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    EXPECT_FALSE(ended);
    close(directory);
    second.join();
}

TEST_F(Setup, without_a_backup_nothing_is_taken_out) {
    std::string text = R"({"experimental": true, "runtimes": {"hrunc": {"path": "/usr/local/bin/hrunc"}}})";
    write("daemon.json", text);
    Outcome outcome = setup({"--remove"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_NE(outcome.output.find("nothing here is from hrunc setup"), std::string::npos) << outcome.output;
    EXPECT_EQ(read(file()), text);
}

TEST_F(Setup, the_report_is_json_too) {
    Outcome outcome = setup({"--json"});
    Result<oci::Json> json = oci::parse_json(outcome.output);
    ASSERT_TRUE(json) << outcome.output;
    EXPECT_EQ((*json)["file"], file());
    EXPECT_EQ((*json)["changes"][0], (oci::Json{{"key", "experimental"}, {"before", nullptr}, {"after", true}}));
    EXPECT_EQ((*json)["backup"], backup());
    EXPECT_EQ((*json)["daemon"], "not running");
    EXPECT_EQ((*json)["restartNeeded"], false);
}

TEST_F(Setup, the_daemon_that_reads_the_file_is_reloaded) {
    start_daemon();
    Outcome outcome = setup();
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_EQ(read(path("signals")), "reloaded\n");
    EXPECT_TRUE(outcome.output.ends_with("dockerd is reloaded\n")) << outcome.output;
    // The daemon knows by now, and is left in peace.
    EXPECT_EQ(setup().output, file() + ": nothing to change\n");
    EXPECT_EQ(read(path("signals")), "reloaded\n");
}

TEST_F(Setup, a_daemon_that_has_missed_the_reload_gets_it_the_second_time) {
    start_daemon();
    std::string text = read(file());
    text.insert(text.size() - 1, R"(, "experimental": true, "runtimes": {"hrunc": {"path": ")" HRUNC_PROGRAM "\"}}");
    write("daemon.json", text);
    EXPECT_EQ(setup().output, file() + ": nothing to change\ndockerd is reloaded\n");
    EXPECT_EQ(read(path("signals")), "reloaded\n");
}

TEST_F(Setup, a_needed_restart_is_told_and_not_made) {
    start_daemon("", "false");
    Outcome outcome = setup();
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_TRUE(outcome.output.ends_with(
        "dockerd is reloaded\ndockerd takes in all of it at its next start only: restart it as it was started\n"))
        << outcome.output;
    EXPECT_TRUE(setup().output.ends_with("restart it as it was started\n"));
}

TEST_F(Setup, dockerd_forgets_its_last_runtime_at_a_restart_only) {
    start_daemon();
    EXPECT_EQ(setup().exit_code, 0);
    Outcome outcome = setup({"--remove"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_TRUE(outcome.output.ends_with("}}\ndockerd takes in all of it at its next start only: restart it as it was "
                                         "started\n"))
        << outcome.output;
    EXPECT_EQ(read(path("signals")), "reloaded\n");
}

TEST_F(Setup, dockerd_forgets_one_of_its_runtimes_at_a_reload) {
    start_daemon();
    write("daemon.json", R"({"experimental": true, "runtimes": {}, "pidfile": ")" + path("pid") + "\"}");
    EXPECT_EQ(setup().exit_code, 0);
    write("info-after", R"({"ServerVersion":"26.1.5","ExperimentalBuild":true,"Runtimes":{}})");
    Outcome outcome = setup({"--remove"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_TRUE(outcome.output.ends_with("}\ndockerd is reloaded\n")) << outcome.output;
    EXPECT_EQ(read(path("signals")), "reloaded\nreloaded\n");
}

TEST_F(Setup, a_restart_without_systemd_is_left_to_its_owner) {
    start_daemon("", "false");
    Outcome outcome = setup({"--restart"});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.errors,
              "hrunc: setup: the file is written, but dockerd is not restarted: dockerd was not started "
              "by systemd: restart it as it was started\n");
}

TEST_F(Setup, what_the_daemon_has_on_its_command_line_is_not_said_twice) {
    start_daemon("--experimental");
    EXPECT_EQ(setup().exit_code, 0);
    EXPECT_EQ(read(file()).find("experimental"), std::string::npos);
}

TEST_F(Setup, runtimes_on_the_command_line_are_refused) {
    start_daemon("--add-runtime x=/x");
    Outcome outcome = setup();
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_TRUE(outcome.errors.starts_with("hrunc: setup: dockerd is started with --add-runtime, ")) << outcome.errors;
}

TEST_F(Setup, a_daemon_that_reads_another_file_is_left_alone) {
    start_daemon();
    std::string other = path("daemon.json.other");
    std::filesystem::copy_file(file(), other);
    Outcome outcome =
        run({{HRUNC_PROGRAM, "setup", "--file", other}, {{"PATH", path("bin") + ":/usr/bin:/bin"}}, {}, {}});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_NE(outcome.output.find("note: the dockerd that runs reads \"" + file() + "\": it was left alone\n"),
              std::string::npos)
        << outcome.output;
    EXPECT_FALSE(std::filesystem::exists(path("signals")));
}

TEST_F(Setup, a_process_that_is_no_dockerd_gets_no_signal) {
    write("pid", std::to_string(getpid()));
    write("daemon.json", R"({"pidfile": ")" + path("pid") + "\"}");
    Outcome outcome = setup();
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_TRUE(outcome.output.ends_with("dockerd does not run; it reads the file when it starts\n")) << outcome.output;
}

} // namespace
} // namespace hrunc::shim
