#include "popcorn/driver/tools.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "popcorn/link/config.h"

namespace hrunc::driver {
namespace {

namespace fs = std::filesystem;

// Objects, and archives of them. Executables are neither.
bool is_bitcode(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    std::string magic(8, '\0');
    file.read(magic.data(), static_cast<std::streamsize>(magic.size()));
    return magic.starts_with("BC\xC0\xDE") || magic == "!<arch>\n" || magic == "!<thin>\n";
}

// The words without bitcode files; where one goes to another file (-o), it is copied.
Result<std::vector<std::string>> without_bitcode(const std::vector<std::string> &words) {
    std::vector<std::string> left, bitcode;
    std::string output;
    bool other = false;
    for (size_t i = 0; i < words.size(); i++) {
        bool option = words[i].starts_with("-");
        if (words[i] == "-o" && i + 1 < words.size()) {
            output = words[i + 1];
            left.insert(left.end(), {words[i], words[i + 1]});
            i++;
        } else if (!option && is_bitcode(words[i])) {
            bitcode.push_back(words[i]);
        } else {
            other |= !option || words[i] == "--version" || words[i] == "--help";
            left.push_back(words[i]);
        }
    }
    if (bitcode.empty() || other) return left;
    std::error_code problem;
    if (!output.empty()) fs::copy_file(bitcode[0], output, fs::copy_options::overwrite_existing, problem);
    if (problem) return Error::system("\"" + output + "\"", problem.value());
    return std::vector<std::string>();
}

} // namespace

std::string root() {
    std::error_code problem;
    return fs::read_symlink("/proc/self/exe", problem).parent_path().parent_path().string();
}

void become(const std::vector<std::string> &command) {
    std::vector<char *> words;
    for (const std::string &word : command) words.push_back(const_cast<char *>(word.c_str()));
    words.push_back(nullptr);
    execv(words[0], words.data());
    std::perror(words[0]);
    _exit(127);
}

Result<void> run_llvm_tool(const std::string &name, const std::vector<std::string> &arguments) {
    std::vector<std::string> words = {std::string(link::kLlvmBin) + "/llvm-" + name}, rest = arguments;
    if (name == "strip") {
        HRUNC_ASSIGN(rest, without_bitcode(arguments));
        if (rest.empty() && !arguments.empty()) return {};
    }
    words.insert(words.end(), rest.begin(), rest.end());
    become(words);
}

} // namespace hrunc::driver
