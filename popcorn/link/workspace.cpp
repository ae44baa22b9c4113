#include "popcorn/link/workspace.h"

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <spawn.h>

namespace hrunc::link {

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
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return Error::system("waiting for " + command[0]);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return Error(ErrorCode::kPeer, command[0] + " failed");
    return {};
}

} // namespace hrunc::link
