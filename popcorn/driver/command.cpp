#include "popcorn/driver/command.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <string_view>

#include "popcorn/driver/options.h"

namespace hrunc::driver {
namespace {

using std::string_view;

template <typename List> bool is_in(const List &list, string_view word) {
    return std::find(list.begin(), list.end(), word) != list.end();
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
        if (command_.stop == Stop::kLink && !command_.sources.empty() &&
            std::all_of(command_.sources.begin(), command_.sources.end(), is_header))
            command_.stop = Stop::kHeader;
        for (const Source &source : command_.sources)
            if (source.path == "-" && source.language.empty() && command_.stop < Stop::kPreprocess)
                return Error(ErrorCode::kInvalid, "-: standard input needs -E or -x");
        if (command_.stop == Stop::kLink && command_.output == "-")
            return refused("-o -", "a link makes several files; name them");
        return std::move(command_);
    }

  private:
    static bool is_header(const Source &source) {
        return source.language.empty() ? suffix_of(source.path) == ".h" : source.language == "c-header";
    }

    Result<void> one(const std::string &word) {
        if (word == "-" || !word.starts_with("-")) return input(word);
        if (auto advice = refusal_of(word)) return refused(word, *advice);
        if (word.starts_with("-x")) return language(word);
        if (stops(word)) return {};
        if (word.starts_with("-o")) return output(word);
        switch (fate_of(word)) {
        case Fate::kDrop:
            if (takes_value(word)) at_++;
            return {};
        case Fate::kUnused:
            command_.unused.push_back(word);
            return {};
        case Fate::kQuery:
            command_.query = word;
            return {};
        case Fate::kFront:
            break;
        }
        if (linker_option(word)) return {};
        note(word);
        command_.front.push_back(word);
        if (takes_value(word) && at_ + 1 < words_.size()) command_.front.push_back(words_[++at_]);
        return {};
    }

    // Options for the front end that mean something here, too.
    void note(const std::string &word) {
        if (word.starts_with("-O")) set_level(word);
        if (word == "-w" || word == "-Qunused-arguments" || word == "-Wno-unused-command-line-argument")
            command_.unused_told = false;
        if (word == "-Werror" || word == "-Werror=unused-command-line-argument") command_.unused_fails = true;
        if (word == "-Wno-error" || word == "-Wno-error=unused-command-line-argument") command_.unused_fails = false;
        command_.standard_includes &= word != "-nostdinc";
        command_.dependencies |=
            word == "-MD" || word == "-MMD" || word.starts_with("-Wp,-MD") || word.starts_with("-Wp,-MMD");
        command_.dependency_file |= word.starts_with("-MF") || word.starts_with("-Wp,-M");
        command_.dependency_target |= word.starts_with("-MT") || word.starts_with("-MQ");
    }

    bool stops(const std::string &word) {
        constexpr std::array kNothing = {"-fsyntax-only", "-M", "-MM"};
        auto stop = [&](Stop here) { command_.stop = std::max(command_.stop, here); };
        if (word == "-c")
            stop(Stop::kObject);
        else if (word == "-S")
            stop(Stop::kAssembly);
        else if (word == "-E")
            stop(Stop::kPreprocess);
        else if (word == "-v" || word == "-###") {
            command_.show = true;
            command_.run &= word == "-v";
        } else {
            if (is_in(kNothing, word)) stop(Stop::kNothing);
            return false;
        }
        return true;
    }

    void set_level(const std::string &word) {
        std::string level = word.substr(2);
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
        constexpr std::array kLanguages = {"c", "c-header", "cpp-output", "none"};
        language_ = word.substr(2);
        if (word == "-x") {
            if (++at_ >= words_.size()) return Error(ErrorCode::kInvalid, "-x: needs a language");
            language_ = words_[at_];
        }
        if (language_.starts_with("assembler"))
            return refused("-x " + language_, "assembly belongs to one ISA; build the C variant of this source");
        if (!is_in(kLanguages, language_)) return refused("-x " + language_, "only C is supported yet");
        if (language_ == "none") language_.clear();
        return {};
    }

    bool linker_option(const std::string &word) {
        auto value = [&] { return at_ + 1 < words_.size() ? words_[++at_] : std::string(); };
        if (word.starts_with("-l") || word.starts_with("-L") || (word.starts_with("-u") && word != "-undef"))
            add_link(word.size() == 2 ? word + value() : word);
        else if (word.starts_with("-Wl,")) {
            std::stringstream rest(word.substr(4));
            for (std::string part; std::getline(rest, part, ',');) add_link(part);
        } else if (word == "-Xlinker")
            add_link(value());
        else if (word == "-z") {
            add_link(word);
            add_link(value());
        } else if (word == "-s")
            add_link(word);
        else
            return false;
        return true;
    }

    void add_link(std::string word) { command_.link.push_back({std::move(word), std::nullopt}); }

    Result<void> input(const std::string &word) {
        string_view suffix = suffix_of(word);
        constexpr std::array kAssembly = {".s", ".S", ".sx", ".asm"};
        constexpr std::array kOther = {".cc", ".cpp", ".cxx", ".C", ".c++", ".ii", ".cp", ".m", ".mm", ".f", ".f90"};
        constexpr std::array kC = {".c", ".i", ".h"};
        if (language_.empty() && is_in(kAssembly, suffix))
            return refused(word, "assembly belongs to one ISA; build the C variant of this source, or leave it out");
        if (language_.empty() && is_in(kOther, suffix)) return refused(word, "only C is supported yet");
        if (language_.empty() && !is_in(kC, suffix) && word != "-") {
            add_link(word);
            return {};
        }
        command_.link.push_back({{}, command_.sources.size()});
        command_.sources.push_back({word, language_});
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
