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
    "-Bsymbolic",
    "-Bsymbolic-functions",
    "--demangle",
    "--no-demangle",
    "--relax",
    "--no-relax",
    "--discard-all",
    "-x",
    "--discard-locals",
    "--copy-dt-needed-entries",
    "--no-copy-dt-needed-entries",
    "--allow-shlib-undefined",
    "--no-allow-shlib-undefined",
};
constexpr std::array kIgnoredPrefixes = {
    "--hash-style=",     "--sort-section=", "--sort-common", "-rpath=",    "--rpath=", "--color-diagnostics", "--icf=",
    "-plugin-opt",       "--threads",       "--compress-",   "--no-warn-", "--warn-",  "--exclude-libs",      "-O",
    "--version-script=", "--dynamic-list="};
constexpr std::array kIgnoredWithValue = {
    "-z",           "-rpath",  "--rpath", "-rpath-link",     "-m", "-dynamic-linker", "-plugin",
    "--hash-style", "-soname", "-h",      "--version-script"};
constexpr std::array kRefused = {"-shared", "--shared", "-Bshareable", "-r", "--relocatable"};
// Who asks for a place or an entry point of their own. --defsym, --wrap and what else is not known are refused, too.
constexpr std::array kLayout = {"-T", "--script", "-Ttext", "-Tdata", "-Tbss", "-e", "--entry", "--image-base"};

bool is_in(const auto &list, std::string_view word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}

class Parser {
  public:
    explicit Parser(const std::vector<std::string> &words) : words_(words) {}

    Result<Options> run() {
        for (; at_ < words_.size(); at_++) HRUNC_TRY(one(words_[at_]));
        if (options_.native.empty() && !options_.version) return Error(ErrorCode::kInvalid, "--native DIR is missing");
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
            options_.inputs.push_back({Input::Kind::kLibrary, name, whole_});
        } else if (word.starts_with("-u") || word.starts_with("--undefined=")) {
            HRUNC_ASSIGN(std::string name, value(word, word.starts_with("-u") ? "-u" : "--undefined"));
            options_.undefined.push_back(name);
        } else {
            return false;
        }
        return true;
    }

    Result<void> one(std::string_view word) {
        if (!word.starts_with("-") || word == "-") {
            options_.inputs.push_back({Input::Kind::kFile, std::string(word), whole_});
            return {};
        }
        if (is_in(kRefused, word))
            return Error(ErrorCode::kRefused, std::string(word) + ": programs that move are static executables; link "
                                                                  "the archive or the objects into the program");
        if (is_in(kLayout, word.substr(0, word.find('='))))
            return Error(ErrorCode::kRefused,
                         std::string(word) + ": the layout is that of both ISAs; link without a script of your own");
        if (is_in(kIgnored, word)) return {};
        for (std::string_view prefix : kIgnoredPrefixes)
            if (word.starts_with(prefix)) return {};
        if (is_in(kIgnoredWithValue, word)) return at_++, Result<void>();
        if (word == "-s" || word == "--strip-all") return options_.strip_all = true, Result<void>();
        if (word == "-S" || word == "--strip-debug") return options_.strip_debug = true, Result<void>();
        if (word == "--whole-archive" || word == "--no-whole-archive")
            return whole_ = word == "--whole-archive", Result<void>();
        if (word == "--version" || word == "-v" || word == "-V") return options_.version = true, Result<void>();
        if (word == "--no-capture") return options_.capture = false, Result<void>();
        if (word == "--build-id=none") return options_.build_id = false, Result<void>();
        constexpr std::string_view kLevel = "--lto-O";
        if (word.size() == kLevel.size() + 1 && word.starts_with(kLevel) && word.back() >= '0' && word.back() <= '3') {
            options_.level = static_cast<unsigned>(word.back() - '0');
            return {};
        }
        HRUNC_ASSIGN(bool known, valued(word));
        if (!known) return Error(ErrorCode::kInvalid, "unknown option " + std::string(word));
        return {};
    }

    const std::vector<std::string> &words_;
    size_t at_ = 0;
    bool whole_ = false;
    Options options_;
};

} // namespace

Result<Options> parse_options(const std::vector<std::string> &arguments) {
    return Parser(arguments).run();
}

} // namespace hrunc::link
