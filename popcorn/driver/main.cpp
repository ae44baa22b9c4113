// popcorn-cc, and under the names popcorn-ar, popcorn-nm and so on LLVM's tools, which know bitcode.

#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "popcorn/driver/command.h"
#include "popcorn/link/config.h"
#include "popcorn/link/workspace.h"

namespace hrunc::driver {
namespace {

namespace fs = std::filesystem;

// The neutral target: va_list is a pointer, long double has 128 bits, and no vector unit is known; char is signed, as
// programs for x86-64 expect it. Of the target's own macros none is left.
constexpr std::array kTarget = {
    "--target=riscv64-unknown-linux-musl",
    "-march=rv64imac",
    "-mabi=lp64",
    "-fsigned-char",
    "-ffp-contract=off",
    "-flto=full",
    "-Qunused-arguments",
    "-Wno-ignored-optimization-argument",
    "-Wno-unknown-warning-option",
    "-U__riscv",
    "-U__riscv_xlen",
    "-U__riscv_i",
    "-U__riscv_m",
    "-U__riscv_a",
    "-U__riscv_c",
    "-U__riscv_atomic",
    "-U__riscv_mul",
    "-U__riscv_muldiv",
    "-U__riscv_div",
    "-U__riscv_compressed",
    "-U__riscv_float_abi_soft",
    "-U__riscv_cmodel_medlow",
    "-U__riscv_arch_test",
    "-U__riscv_zmmul",
    "-U__riscv_zca",
    "-U__riscv_zaamo",
    "-U__riscv_zalrsc",
    "-U__riscv_misaligned_avoid",
    "-U__riscv_32e",
    "-U__riscv_64e",
    "-D__popcorn__=1",
};

std::string root() {
    std::error_code problem;
    return fs::read_symlink("/proc/self/exe", problem).parent_path().parent_path().string();
}

[[noreturn]] void become(const std::vector<std::string> &command) {
    std::vector<char *> words;
    for (const std::string &word : command) words.push_back(const_cast<char *>(word.c_str()));
    words.push_back(nullptr);
    execv(words[0], words.data());
    std::perror(words[0]);
    _exit(127);
}

std::vector<std::string> front_end(const Command &command) {
    std::vector<std::string> words = {link::kClang};
    words.insert(words.end(), kTarget.begin(), kTarget.end());
    words.insert(words.end(), command.front.begin(), command.front.end());
    if (command.standard_includes)
        words.insert(words.end(), {"-nostdlibinc", "-isystem", root() + "/lib/popcorn/include"});
    return words;
}

void add_source(std::vector<std::string> &words, const std::string &source) {
    size_t cut = source.find('\1');
    if (cut == std::string::npos) {
        words.push_back(source);
    } else {
        words.push_back(source.substr(0, cut));
        words.push_back(source.substr(cut + 1));
        words.push_back("-xnone");
    }
}

[[noreturn]] void compile_only(const Command &command) {
    std::vector<std::string> words = front_end(command);
    if (command.show) words.push_back("-v");
    if (command.stop == Stop::kObject) words.push_back("-c");
    if (command.stop == Stop::kAssembly) words.push_back("-S");
    if (command.stop == Stop::kPreprocess) words.push_back("-E");
    if (!command.output.empty()) words.insert(words.end(), {"-o", command.output});
    for (const std::string &source : command.sources) add_source(words, source);
    become(words);
}

Result<void> link_all(const Command &command) {
    HRUNC_ASSIGN(auto work, link::Workspace::create(""));
    std::vector<std::string> words = {root() + "/bin/popcorn-ld",
                                      "--native",
                                      root() + "/lib/popcorn/native",
                                      "-o",
                                      command.output.empty() ? "a.out" : command.output,
                                      "-O" + command.level};
    for (const std::string &item : command.link) {
        if (item[0] != '\1') {
            words.push_back(item);
            continue;
        }
        std::string object = work.path("source" + item.substr(1) + ".o");
        std::vector<std::string> compile = front_end(command);
        compile.insert(compile.end(), {"-c", "-o", object});
        add_source(compile, command.sources[std::stoul(item.substr(1))]);
        HRUNC_TRY(link::run_tool(compile));
        words.push_back(object);
    }
    words.insert(words.end(), {"-L", root() + "/lib/popcorn", "-lc"});
    if (command.show)
        for (const std::string &word : words) std::fprintf(stderr, "%s ", word.c_str());
    return link::run_tool(words);
}

#if defined(__aarch64__)
constexpr const char *kHost = "aarch64-unknown-linux-musl";
#else
constexpr const char *kHost = "x86_64-unknown-linux-musl";
#endif

Result<void> run(const std::vector<std::string> &arguments) {
    HRUNC_ASSIGN(Command command, parse_command(arguments));
    for (const std::string &word : command.front)
        if (word == "-dumpmachine") return std::puts(kHost), Result<void>();
    if (command.sources.empty() && command.stop == Stop::kLink) {
        if (command.link.empty() && !command.show) return Error(ErrorCode::kInvalid, "no input files");
        if (command.link.empty()) compile_only(command);
    }
    if (command.stop == Stop::kLink) return link_all(command);
    compile_only(command);
}

} // namespace
} // namespace hrunc::driver

int main(int argc, char **argv) {
    std::string name = std::filesystem::path(argc > 0 ? argv[0] : "popcorn-cc").filename().string();
    std::vector<std::string> arguments(argv + (argc > 0), argv + argc);
    if (name.starts_with("popcorn-") && name != "popcorn-cc") {
        std::vector<std::string> words = {std::string(hrunc::link::kLlvmBin) + "/llvm-" + name.substr(8)};
        words.insert(words.end(), arguments.begin(), arguments.end());
        hrunc::driver::become(words);
    }
    auto result = hrunc::driver::run(arguments);
    if (result) return 0;
    // A tool that failed has said why.
    if (result.error().code() != hrunc::ErrorCode::kPeer)
        std::fprintf(stderr, "popcorn-cc: error: %s\n", result.error().text().c_str());
    return 1;
}
