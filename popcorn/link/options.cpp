#include "popcorn/link/options.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace hrunc::link {
namespace {

// Options that change nothing here: the layout is fixed, everything is static.
constexpr std::array kIgnored = {
    "--start-group",
    "--end-group",
    "-(",
    "-)",
    "--as-needed",
    "--no-as-needed",
    "--gc-sections",
    "--no-gc-sections",
    "-static",
    "-Bstatic",
    "-Bdynamic",
    "--export-dynamic",
    "-E",
    "--no-export-dynamic",
    "--eh-frame-hdr",
    "-n",
    "--no-eh-frame-hdr",
    "-no-pie",
    "-pie",
    "--no-pie",
    "--pie",
    "--whole-archive",
    "--no-whole-archive",
    "--no-undefined",
    "-d",
    "--warn-common",
    "--fatal-warnings",
    "--no-fatal-warnings",
    "--build-id",
    "-g",
    "-X",
    "--build-id=sha1",
    "--allow-multiple-definition",
    "--enable-new-dtags",
    "--disable-new-dtags",
};
constexpr std::array kIgnoredPrefixes = {
    "--hash-style=",  "--sort-section=", "--sort-common", "-rpath=",     "--rpath=",   "--color-diagnostics",
    "--icf=",         "-plugin-opt",     "--threads",     "--compress-", "--no-warn-", "--version-script=",
    "--dynamic-list="};
constexpr std::array kIgnoredWithValue = {
    "-z",      "-rpath",       "--rpath", "-rpath-link", "-m", "-dynamic-linker",
    "-plugin", "--hash-style", "-soname", "-h",          "-T", "--version-script"};
constexpr std::array kRefused = {"-shared", "--shared", "-Bshareable", "-r", "--relocatable"};

bool is_in(const auto &list, std::string_view word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}

class Parser {
  public:
    explicit Parser(const std::vector<std::string> &words) : words_(words) {}

    Result<Options> run() {
        for (; at_ < words_.size(); at_++) HRUNC_TRY(one(words_[at_]));
        if (options_.native.empty()) return Error(ErrorCode::kInvalid, "--native DIR is missing");
        return std::move(options_);
    }

  private:
    // The value of an option `name` that stands in the same word or in the next one.
    Result<std::string> value(std::string_view word, std::string_view name) {
        if (word.size() > name.size()) return std::string(word.substr(name.size() + (word[name.size()] == '=')));
        if (++at_ >= words_.size()) return Error(ErrorCode::kInvalid, std::string(name) + ": needs a value");
        return words_[at_];
    }

    Result<bool> valued(std::string_view word) {
        struct Row {
            std::string_view name;
            std::string *target;
        };
        const std::array rows = {Row{"--native", &options_.native}, Row{"--save-temps", &options_.keep},
                                 Row{"-Map", &options_.map}, Row{"-o", &options_.output}};
        for (const Row &row : rows) {
            if (!word.starts_with(row.name)) continue;
            HRUNC_ASSIGN(*row.target, value(word, row.name));
            return true;
        }
        if (word.starts_with("-L")) {
            HRUNC_ASSIGN(std::string path, value(word, "-L"));
            options_.search.push_back(path);
        } else if (word.starts_with("-l")) {
            HRUNC_ASSIGN(std::string name, value(word, "-l"));
            options_.inputs.push_back({Input::Kind::kLibrary, name});
        } else if (word.starts_with("-u")) {
            HRUNC_ASSIGN(std::string name, value(word, "-u"));
            options_.undefined.push_back(name);
        } else {
            return false;
        }
        return true;
    }

    Result<void> one(std::string_view word) {
        if (!word.starts_with("-") || word == "-") {
            options_.inputs.push_back({Input::Kind::kFile, std::string(word)});
            return {};
        }
        if (is_in(kRefused, word))
            return Error(ErrorCode::kRefused, std::string(word) + ": programs that move are static executables; link "
                                                                  "the archive or the objects into the program");
        if (is_in(kIgnored, word)) return {};
        for (std::string_view prefix : kIgnoredPrefixes)
            if (word.starts_with(prefix)) return {};
        if (is_in(kIgnoredWithValue, word)) return at_++, Result<void>();
        if (word == "-s" || word == "--strip-all") return options_.strip_all = true, Result<void>();
        if (word == "-S" || word == "--strip-debug") return options_.strip_debug = true, Result<void>();
        if (word == "--no-capture") return options_.capture = false, Result<void>();
        if (word == "--build-id=none") return options_.build_id = false, Result<void>();
        if (word.starts_with("-O")) {
            options_.level = word == "-O0" ? 0 : word == "-O1" ? 1 : word == "-O3" ? 3 : 2;
            return {};
        }
        HRUNC_ASSIGN(bool known, valued(word));
        if (!known) return Error(ErrorCode::kInvalid, "unknown option " + std::string(word));
        return {};
    }

    const std::vector<std::string> &words_;
    size_t at_ = 0;
    Options options_;
};

} // namespace

Result<Options> parse_options(const std::vector<std::string> &arguments) {
    return Parser(arguments).run();
}

} // namespace hrunc::link
