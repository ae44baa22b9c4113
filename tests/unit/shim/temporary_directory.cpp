#include "temporary_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace hrunc::shim {

void TemporaryDirectory::SetUp() {
    directory_ = testing::TempDir() + "hrunc-test-XXXXXX";
    ASSERT_NE(mkdtemp(directory_.data()), nullptr);
}

void TemporaryDirectory::TearDown() {
    std::filesystem::remove_all(directory_);
}

void TemporaryDirectory::write(const std::string &name, const std::string &text, unsigned mode) const {
    std::ofstream(path(name)) << text;
    ASSERT_EQ(chmod(path(name).c_str(), mode), 0);
}

std::string TemporaryDirectory::read(const std::string &path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

namespace {

[[noreturn]] void become(const Call &call, int output, int errors) {
    int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, 0);
    dup2(output, 1);
    dup2(errors, 2);
    for (const auto &[number, file] : call.descriptors) {
        int fd = open(file.c_str(), O_RDONLY);
        if (fd != number && dup2(fd, number) != number) _exit(98);
    }
    for (const auto &[name, value] : call.environment) setenv(name.c_str(), value.c_str(), 1);
    if (!call.directory.empty() && chdir(call.directory.c_str()) != 0) _exit(97);
    std::vector<char *> argv;
    for (const std::string &word : call.argv) argv.push_back(const_cast<char *>(word.c_str()));
    argv.push_back(nullptr);
    execvp(argv[0], argv.data());
    _exit(96);
}

std::string everything_in(int fd) {
    std::string text(static_cast<std::size_t>(lseek(fd, 0, SEEK_END)), '\0');
    EXPECT_EQ(pread(fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    close(fd);
    return text;
}

int unnamed_file() {
    return open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

} // namespace

Outcome run(const Call &call) {
    // Files, not pipes: a container that is left running may keep them open.
    int output = unnamed_file(), errors = unnamed_file();
    Outcome outcome;
    outcome.pid = fork();
    if (outcome.pid == 0) become(call, output, errors);
    int status = 0;
    waitpid(outcome.pid, &status, 0);
    outcome.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    outcome.output = everything_in(output);
    outcome.errors = everything_in(errors);
    return outcome;
}

} // namespace hrunc::shim
