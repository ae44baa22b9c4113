#include "popcorn/link/workspace.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <spawn.h>

namespace hrunc::link {
namespace {

volatile sig_atomic_t caught = 0;
volatile pid_t tool = 0;

void pass_on(int signal) {
    caught = signal;
    if (tool > 0) kill(tool, signal);
}

} // namespace

Result<Workspace> Workspace::create(const std::string &keep) {
    std::error_code problem;
    if (!keep.empty()) {
        std::filesystem::create_directories(keep, problem);
        if (problem) return Error::system("\"" + keep + "\"", problem.value());
        return Workspace(keep, true);
    }
    std::string directory = (std::filesystem::temp_directory_path(problem) / "popcorn-ld.XXXXXX").string();
    if (!mkdtemp(directory.data())) return Error::system("\"" + directory + "\"");
    return Workspace(directory, false);
}

Workspace::Workspace(Workspace &&other) noexcept : directory_(std::move(other.directory_)), keep_(other.keep_) {
    other.directory_.clear();
}

Workspace::~Workspace() {
    std::error_code ignored;
    if (!keep_ && !directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

Result<void> write_file(const std::string &path, const std::string &text) {
    std::ofstream stream(path, std::ios::binary);
    stream << text;
    stream.close();
    if (!stream) return Error::system("\"" + path + "\"");
    return {};
}

Result<void> run_tool(const std::vector<std::string> &command) {
    std::vector<char *> words;
    for (const std::string &word : command) words.push_back(const_cast<char *>(word.c_str()));
    words.push_back(nullptr);
    pid_t child;
    if (int number = posix_spawnp(&child, words[0], nullptr, nullptr, words.data(), environ))
        return Error::system("\"" + command[0] + "\"", number);
    tool = child;
    if (caught != 0) kill(child, caught); // came before there was a child
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return Error::system("waiting for " + command[0]);
    tool = 0;
    if (WIFSIGNALED(status))
        return Error(ErrorCode::kInternal, command[0] + ": ended by signal " + std::to_string(WTERMSIG(status)) + " (" +
                                               strsignal(WTERMSIG(status)) + ")");
    if (caught != 0) return Error(ErrorCode::kPeer, "interrupted");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return Error(ErrorCode::kPeer, command[0] + " failed");
    return {};
}

void catch_signals() {
    for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction action{};
        if (sigaction(signal, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) continue;
        action.sa_handler = pass_on;
        sigaction(signal, &action, nullptr);
    }
}

int caught_signal() {
    return caught;
}

} // namespace hrunc::link
