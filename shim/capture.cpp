#include "shim/capture.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "base/fd.h"

namespace hrunc::shim {

namespace {

Result<pid_t> spawn_with_stdout(const std::string &path, const std::vector<std::string> &argv, const Fd &out,
                                Stderr errors) {
    std::vector<char *> words;
    for (const std::string &word : argv) words.push_back(const_cast<char *>(word.c_str()));
    words.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out.get(), STDOUT_FILENO);
    if (errors == Stderr::kCaptured) posix_spawn_file_actions_adddup2(&actions, out.get(), STDERR_FILENO);
    if (errors == Stderr::kDropped) posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t child = 0;
    int number = posix_spawn(&child, path.c_str(), &actions, nullptr, words.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (number != 0) return Error::system("start \"" + path + "\"", number);
    return child;
}

int wait_for(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

} // namespace

Result<Captured> capture(const std::string &path, const std::vector<std::string> &argv, std::size_t limit,
                         Stderr errors) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return Error::system("make a pipe");
    Fd read_end(ends[0]), write_end(ends[1]);
    HRUNC_ASSIGN(pid_t child, spawn_with_stdout(path, argv, write_end, errors));
    write_end.reset();
    Result<std::string> output = read_to_end(read_end, limit);
    read_end.reset(); // a child that has more to say gets SIGPIPE, so that the wait ends
    int exit_code = wait_for(child);
    if (!output) return std::move(output).error().in("output of \"" + path + "\"");
    return Captured{std::move(*output), exit_code};
}

} // namespace hrunc::shim
