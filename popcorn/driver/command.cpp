#include "popcorn/driver/command.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <string_view>

namespace hrunc::driver {
namespace {

using std::string_view;

// Options that choose a target, a kind of code or a check of one ISA: there is one target here.
constexpr std::array kDropped = {
    "-fPIC",
    "-fpic",
    "-fPIE",
    "-fpie",
    "-fno-PIC",
    "-fno-pic",
    "-fno-PIE",
    "-fno-pie",
    "-fno-plt",
    "-m64",
    "-pie",
    "-no-pie",
    "-static",
    "-static-pie",
    "-static-libgcc",
    "-rdynamic",
    "-pipe",
    "-nostdlib",
    "-nodefaultlibs",
    "-nostartfiles",
    "-fstack-clash-protection",
    "-fno-stack-clash-protection",
    "-mno-red-zone",
    "-ffat-lto-objects",
    "-fno-fat-lto-objects",
    "-flto",
    "-fno-lto",
    "-fuse-linker-plugin",
    "-fwhole-program",
    "-fgnu89-inline-only",
    "-fno-semantic-interposition",
    "-Wl,--version",
    "-mno-omit-leaf-frame-pointer",
    "-mbranch-protection=standard",
};
constexpr std::array kDroppedPrefixes = {"-march=",
                                         "-mtune=",
                                         "-mcpu=",
                                         "-mfpmath=",
                                         "-fcf-protection",
                                         "-flto=",
                                         "-fstack-protector",
                                         "-fno-stack-protector",
                                         "-fuse-ld=",
                                         "-specs=",
                                         "-mfpu=",
                                         "-msse",
                                         "-mavx",
                                         "-mabi=",
                                         "-Wa,",
                                         "-ftls-model=",
                                         "-fno-lto",
                                         "-mcmodel="};
struct Refusal {
    string_view option, advice;
};
constexpr std::array kRefusals = {
    Refusal{"-shared", "programs that move are static executables; build an archive (popcorn-ar) instead"},
    Refusal{"-m32", "the ISAs are x86-64 and aarch64"},
    Refusal{"-fopenmp", "there is no OpenMP runtime for both ISAs; configure the program without it"},
    Refusal{"-fsanitize=", "sanitizers work on one ISA; use them with the native compiler"},
    Refusal{"--coverage", "use the native compiler for coverage"},
    Refusal{"-fsplit-stack", "stacks have a fixed place here"},
};
// Their value is the next word.
constexpr std::array kWithValue = {"-I",         "-D",        "-U",          "-include", "-imacros", "-isystem",
                                   "-idirafter", "-iquote",   "-MF",         "-MT",      "-MQ",      "-isysroot",
                                   "--sysroot",  "-iprefix",  "-Xclang",     "-mllvm",   "--param",  "-Xpreprocessor",
                                   "-aux-info",  "-dumpbase", "-iwithprefix"};

template <typename List> bool is_in(const List &list, string_view word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}
template <typename List> bool starts_one(const List &list, string_view word) {
    return std::any_of(list.begin(), list.end(), [&](string_view prefix) { return word.starts_with(prefix); });
}

string_view suffix_of(string_view path) {
    size_t dot = path.rfind('.');
    return dot == string_view::npos || path.find('/', dot) != string_view::npos ? "" : path.substr(dot);
}

Error refused(string_view what, string_view advice) {
    return Error(ErrorCode::kRefused, std::string(what) + ": " + std::string(advice));
}

// Words of a response file: blanks separate, quotes and backslashes protect.
std::vector<std::string> split(const std::string &text) {
    std::vector<std::string> words;
    std::string word;
    char quote = 0;
    bool open = false;
    for (size_t i = 0; i < text.size(); i++) {
        char c = text[i];
        if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
            word += text[++i];
            open = true;
        } else if (quote ? c == quote : c == '"' || c == '\'') {
            quote = quote ? '\0' : c;
            open = true;
        } else if (!quote && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
            if (open) words.push_back(std::exchange(word, {}));
            open = false;
        } else {
            word += c;
            open = true;
        }
    }
    if (open) words.push_back(word);
    return words;
}

Result<void> expand(std::vector<std::string> &words, int depth = 0) {
    std::vector<std::string> result;
    for (std::string &word : words) {
        std::ifstream file;
        if (word.starts_with("@")) file.open(word.substr(1), std::ios::binary);
        if (!word.starts_with("@") || !file) {
            result.push_back(std::move(word));
            continue;
        }
        if (depth > 16) return Error(ErrorCode::kInvalid, word + ": response files name each other");
        std::stringstream text;
        text << file.rdbuf();
        std::vector<std::string> inner = split(text.str());
        HRUNC_TRY(expand(inner, depth + 1));
        result.insert(result.end(), inner.begin(), inner.end());
    }
    words = std::move(result);
    return {};
}

class Parser {
  public:
    explicit Parser(std::vector<std::string> words) : words_(std::move(words)) {}

    Result<Command> run() {
        HRUNC_TRY(expand(words_));
        for (; at_ < words_.size(); at_++) HRUNC_TRY(one(words_[at_]));
        return std::move(command_);
    }

  private:
    Result<void> one(const std::string &word) {
        if (word == "-" || !word.starts_with("-")) return input(word);
        for (const Refusal &row : kRefusals)
            if (word == row.option || (row.option.ends_with("=") && word.starts_with(row.option)))
                return refused(word, row.advice);
        if (is_in(kDropped, word) || starts_one(kDroppedPrefixes, word)) return {};
        if (word == "-x" || word.starts_with("-x")) return language(word);
        if (stops(word)) return {};
        if (word.starts_with("-o")) return output(word);
        if (linker_option(word)) return {};
        if (word.starts_with("-O")) set_level(word);
        if (word == "-nostdinc") command_.standard_includes = false;
        command_.front.push_back(word);
        if (is_in(kWithValue, word) && at_ + 1 < words_.size()) command_.front.push_back(words_[++at_]);
        return {};
    }

    bool stops(const std::string &word) {
        // It does not undo a -S or -E that stands before it.
        if (word == "-c")
            command_.stop = std::max(command_.stop, Stop::kObject);
        else if (word == "-S")
            command_.stop = Stop::kAssembly;
        else if (word == "-E")
            command_.stop = Stop::kPreprocess;
        else if (word == "-v" || word == "-###")
            command_.show = true;
        else {
            bool nothing = word == "-fsyntax-only" || word == "-M" || word == "-MM" || word == "--version" ||
                           word == "-dumpversion" || word == "-dumpmachine" || word.starts_with("-print-") ||
                           word.starts_with("--print-") || word == "--help";
            if (nothing) command_.stop = Stop::kNothing;
            return false;
        }
        return true;
    }

    void set_level(const std::string &word) {
        std::string level = word.substr(2);
        command_.optimises = true;
        if (level.empty() || level == "g") level = "1";
        command_.level = level == "0" || level == "1" || level == "3" ? level : level == "fast" ? "3" : "2";
    }

    Result<void> output(const std::string &word) {
        if (word != "-o")
            command_.output = word.substr(2);
        else if (++at_ < words_.size())
            command_.output = words_[at_];
        else
            return Error(ErrorCode::kInvalid, "-o: needs a file");
        return {};
    }

    Result<void> language(const std::string &word) {
        language_ = word.substr(2);
        if (word == "-x") {
            if (++at_ >= words_.size()) return Error(ErrorCode::kInvalid, "-x: needs a language");
            language_ = words_[at_];
        }
        if (language_ == "none") language_.clear();
        if (language_.starts_with("assembler"))
            return refused("-x " + language_, "assembly belongs to one ISA; build the C variant of this source");
        if (language_.starts_with("c++")) return refused("-x " + language_, "C++ is not supported yet; only C is");
        return {};
    }

    bool linker_option(const std::string &word) {
        if (word.starts_with("-l") || word.starts_with("-L") || word.starts_with("-u")) {
            command_.link.push_back(word);
            if (word.size() == 2 && at_ + 1 < words_.size()) command_.link.back() += words_[++at_];
        } else if (word.starts_with("-Wl,")) {
            std::stringstream rest(word.substr(4));
            for (std::string part; std::getline(rest, part, ',');) command_.link.push_back(part);
        } else if (word == "-Xlinker" || word == "-z" || word == "-T") {
            if (word != "-Xlinker") command_.link.push_back(word);
            if (++at_ < words_.size()) command_.link.push_back(words_[at_]);
        } else if (word == "-s" || word.starts_with("--save-temps=")) {
            command_.link.push_back(word);
        } else {
            return false;
        }
        return true;
    }

    Result<void> input(const std::string &word) {
        string_view suffix = suffix_of(word);
        constexpr std::array kAssembly = {".s", ".S", ".sx", ".asm"};
        constexpr std::array kOther = {".cc", ".cpp", ".cxx", ".C", ".c++", ".ii", ".cp", ".m", ".mm", ".f", ".f90"};
        if (language_.empty() && is_in(kAssembly, suffix))
            return refused(word, "assembly belongs to one ISA; build the C variant of this source, or leave it out");
        if (language_.empty() && is_in(kOther, suffix)) return refused(word, "only C is supported yet");
        bool source = !language_.empty() || suffix == ".c" || suffix == ".i" || suffix == ".h" ||
                      (word == "-" && command_.stop != Stop::kLink);
        if (!source) {
            command_.link.push_back(word);
            return {};
        }
        command_.link.push_back("\1" + std::to_string(command_.sources.size()));
        command_.sources.push_back(language_.empty() ? word : "-x" + language_ + "\1" + word);
        return {};
    }

    std::vector<std::string> words_;
    size_t at_ = 0;
    std::string language_;
    Command command_;
};

} // namespace

Result<Command> parse_command(std::vector<std::string> words) {
    return Parser(std::move(words)).run();
}

} // namespace hrunc::driver
