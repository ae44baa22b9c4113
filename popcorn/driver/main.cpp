// popcorn-cc, and under the names popcorn-ar, popcorn-nm and so on LLVM's tools, which know bitcode.

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "popcorn/driver/command.h"
#include "popcorn/driver/query.h"
#include "popcorn/driver/tools.h"
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

std::vector<std::string> front_end(const Command &command) {
    std::vector<std::string> words = {link::kClang};
    words.insert(words.end(), kTarget.begin(), kTarget.end());
    words.insert(words.end(), command.front.begin(), command.front.end());
    if (command.standard_includes)
        words.insert(words.end(), {"-nostdlibinc", "-isystem", root() + "/lib/popcorn/include"});
    words.push_back("-fpass-plugin=" + root() + "/lib/popcorn/popcorn-front.so");
    if (command.show) words.emplace_back(command.run ? "-v" : "-###");
    return words;
}

void add_sources(std::vector<std::string> &words, const std::vector<Source> &sources) {
    std::string language;
    for (const Source &source : sources) {
        if (source.language != language) words.push_back("-x" + (source.language.empty() ? "none" : source.language));
        language = source.language;
        words.push_back(source.path);
    }
}

[[noreturn]] void compile_only(const Command &command) {
    std::vector<std::string> words = front_end(command);
    if (command.stop == Stop::kObject) words.emplace_back("-c");
    if (command.stop == Stop::kAssembly) words.emplace_back("-S");
    if (command.stop == Stop::kPreprocess) words.emplace_back("-E");
    if (!command.output.empty()) words.insert(words.end(), {"-o", command.output});
    add_sources(words, command.sources);
    become(words);
}

// Where the rules that -MD makes go, and what they are for: the link's output, not the object that nobody sees.
void add_dependencies(std::vector<std::string> &words, const Command &command, const fs::path &output,
                      const Source &source) {
    if (!command.dependencies) return;
    std::string stem = fs::path(output).replace_extension().string();
    if (command.sources.size() > 1) stem += "-" + fs::path(source.path).stem().string();
    if (!command.dependency_file) words.insert(words.end(), {"-MF", stem + ".d"});
    if (!command.dependency_target) words.insert(words.end(), {"-MT", output.string()});
}

void show(const std::vector<std::string> &words) {
    for (const std::string &word : words) std::fprintf(stderr, " \"%s\"", word.c_str());
    std::fputc('\n', stderr);
}

Result<void> compile_and_link(const Command &command, const std::string &output) {
    HRUNC_ASSIGN(auto work, link::Workspace::create(""));
    // What a program that is killed leaves behind goes with ours.
    setenv("TMPDIR", work.directory().c_str(), 1);
    std::vector<std::string> words = {
        root() + "/bin/popcorn-ld", "--native", root() + "/lib/popcorn/native", "-o", output,
        "--lto-O" + command.level};
    for (const LinkItem &item : command.link) {
        if (!item.source) {
            words.push_back(item.word);
            continue;
        }
        const Source &source = command.sources[*item.source];
        std::string object =
            work.path(std::to_string(*item.source) + "-" + fs::path(source.path).filename().string() + ".o");
        std::vector<std::string> compile = front_end(command);
        add_dependencies(compile, command, output, source);
        compile.insert(compile.end(), {"-c", "-o", object});
        add_sources(compile, {source});
        HRUNC_TRY(link::run_tool(compile));
        words.push_back(object);
    }
    words.insert(words.end(), {"-L", root() + "/lib/popcorn", "-lc"});
    if (command.show) show(words);
    return command.run ? link::run_tool(words) : Result<void>();
}

// Leaves no executable of an earlier link where this one fails.
Result<void> link_all(const Command &command) {
    std::string output = command.output.empty() ? "a.out" : command.output;
    link::catch_signals();
    auto result = compile_and_link(command, output);
    if (result) return result;
    for (const char *suffix : {"", "_x86-64", "_aarch64"}) {
        std::error_code ignored;
        if (fs::is_regular_file(fs::symlink_status(output + suffix, ignored))) fs::remove(output + suffix, ignored);
    }
    return result;
}

Result<void> tell_unused(const Command &command) {
    for (const std::string &option : command.unused) {
        std::string text =
            "option '" + option + "' not supported: programs have the instructions that every machine of their ISA has";
        if (command.unused_fails) return Error(ErrorCode::kRefused, text);
        std::fprintf(stderr, "popcorn-cc: warning: %s [-Wunused-command-line-argument]\n", text.c_str());
    }
    return {};
}

Result<void> run(const std::vector<std::string> &arguments) {
    HRUNC_ASSIGN(Command command, parse_command(arguments));
    if (!command.query.empty()) return answer(command.query);
    if (command.sources.empty() && command.link.empty()) {
        if (!command.show) return Error(ErrorCode::kInvalid, "no input files");
        return answer("-v");
    }
    if (!command.sources.empty() && command.unused_told) HRUNC_TRY(tell_unused(command));
    if (command.stop == Stop::kLink) return link_all(command);
    if (command.sources.empty()) return {}; // as others do: objects and libraries are for a link
    compile_only(command);
}

} // namespace
} // namespace hrunc::driver

int main(int argc, char **argv) {
    std::string name = std::filesystem::path(argc > 0 ? argv[0] : "popcorn-cc").filename().string();
    std::vector<std::string> arguments(argv + (argc > 0), argv + argc);
    auto result = name.starts_with("popcorn-") && name != "popcorn-cc"
                      ? hrunc::driver::run_llvm_tool(name.substr(8), arguments)
                      : hrunc::driver::run(arguments);
    if (result) return 0;
    if (int signal = hrunc::link::caught_signal()) {
        std::signal(signal, SIG_DFL);
        return std::raise(signal);
    }
    // A tool that failed has said why.
    if (result.error().code() != hrunc::ErrorCode::kPeer)
        std::fprintf(stderr, "%s: error: %s\n", name.c_str(), result.error().text().c_str());
    return 1;
}
