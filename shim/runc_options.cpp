#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string_view>

#include "shim/invocation.h"

namespace hrunc::shim {

namespace {

// An option of runc: with a value (kept in `text` if it matters to hrunc), or a boolean (kept in `flag`).
struct Option {
    std::string_view name;
    bool takes_value;
    std::string Invocation::*text = nullptr;
    bool Invocation::*flag = nullptr;
};

constexpr Option value(std::string_view name, std::string Invocation::*text = nullptr) {
    return {name, true, text, nullptr};
}

constexpr Option boolean(std::string_view name, bool Invocation::*flag = nullptr) {
    return {name, false, nullptr, flag};
}

// runc main.go
constexpr std::array kGlobalOptions{
    boolean("debug", &Invocation::debug),
    value("log", &Invocation::log),
    value("log-format"),
    value("root", &Invocation::root),
    value("criu", &Invocation::criu),
    boolean("systemd-cgroup", &Invocation::systemd_cgroup),
    value("rootless", &Invocation::rootless),
    boolean("help", &Invocation::help),
    boolean("h", &Invocation::help),
    boolean("version", &Invocation::version),
    boolean("v", &Invocation::version),
};

// runc checkpoint.go and restore.go: no name means two things.
constexpr std::array kVerbOptions{
    value("image-path", &Invocation::image_path),
    value("work-path", &Invocation::work_path),
    value("parent-path", &Invocation::parent_path),
    value("bundle", &Invocation::bundle),
    value("b", &Invocation::bundle),
    value("pid-file", &Invocation::pid_file),
    value("console-socket", &Invocation::console_socket),
    value("page-server", &Invocation::page_server),
    value("status-fd"),
    value("manage-cgroups-mode"),
    value("empty-ns"),
    value("lsm-profile"),
    value("lsm-mount-context"),
    boolean("detach", &Invocation::detach),
    boolean("d", &Invocation::detach),
    boolean("leave-running", &Invocation::leave_running),
    boolean("pre-dump", &Invocation::pre_dump),
    boolean("tcp-established", &Invocation::tcp_established),
    boolean("lazy-pages", &Invocation::lazy_pages),
    boolean("no-subreaper", &Invocation::no_subreaper),
    boolean("tcp-skip-in-flight"),
    boolean("link-remap"),
    boolean("ext-unix-sk"),
    boolean("shell-job"),
    boolean("file-locks"),
    boolean("no-pivot"),
    boolean("auto-dedup"),
    boolean("help", &Invocation::verb_help),
    boolean("h", &Invocation::verb_help),
};

template <std::size_t size> const Option *find(const std::array<Option, size> &table, std::string_view name) {
    for (const Option &option : table)
        if (option.name == name) return &option;
    return nullptr;
}

// Go's strconv.ParseBool; anything else is an error that runc reports.
bool is_true(std::string_view text) {
    return text == "1" || text == "t" || text == "T" || text == "true" || text == "TRUE" || text == "True";
}

// One argument that begins with a dash, split as Go's flag package does.
struct Word {
    std::string_view name;
    std::optional<std::string_view> value;
};

Word split(std::string_view argument) {
    argument.remove_prefix(argument.starts_with("--") ? 2 : 1);
    std::size_t equal = argument.find('=', 1);
    if (equal == std::string_view::npos) return {argument, std::nullopt};
    return {argument.substr(0, equal), argument.substr(equal + 1)};
}

bool is_option(std::string_view argument) {
    return argument.size() > 1 && argument.front() == '-';
}

// Takes the option at argv[at] into `invocation` and gives the index behind it and its value.
std::size_t take(Invocation &invocation, const Option &option, const Word &word, std::size_t at) {
    if (!option.takes_value) {
        if (option.flag != nullptr) invocation.*option.flag = !word.value || is_true(*word.value);
        return at + 1;
    }
    std::size_t next = word.value ? at + 1 : at + 2;
    std::string given;
    if (word.value) {
        given = *word.value;
    } else if (at + 1 < invocation.argv.size()) {
        given = invocation.argv[at + 1];
    }
    if (option.name == "log-format") invocation.log_format = given == "json" ? LogFormat::kJson : LogFormat::kText;
    if (option.text != nullptr) invocation.*option.text = given;
    return next;
}

// Gives the index of the verb, or argv.size() where there is none that could be told.
std::size_t parse_global_options(Invocation &invocation) {
    const std::vector<std::string> &argv = invocation.argv;
    std::size_t at = 1;
    while (at < argv.size()) {
        if (!is_option(argv[at])) return at;
        if (argv[at] == "--") return std::min(at + 1, argv.size());
        Word word = split(argv[at]);
        const Option *option = find(kGlobalOptions, word.name);
        // Whether an unknown option takes a value only runc can know, so there is no telling where the verb is.
        if (option == nullptr) {
            invocation.help = invocation.version = false;
            return argv.size();
        }
        at = take(invocation, *option, word, at);
    }
    return argv.size();
}

void parse_verb_options(Invocation &invocation) {
    const std::vector<std::string> &argv = invocation.argv;
    bool unknown_options = false, only_arguments = false;
    for (std::size_t at = invocation.verb_index + 1; at < argv.size();) {
        if (!only_arguments && argv[at] == "--") {
            only_arguments = true;
            ++at;
        } else if (only_arguments || !is_option(argv[at])) {
            invocation.arguments.push_back(argv[at++]);
        } else {
            Word word = split(argv[at]);
            const Option *option = find(kVerbOptions, word.name);
            unknown_options |= option == nullptr;
            at = option != nullptr ? take(invocation, *option, word, at) : at + 1;
        }
    }
    // The value of an option that a later runc knows looks like an argument; the id comes last in what engines call.
    if (invocation.arguments.size() == 1 || (unknown_options && !invocation.arguments.empty()))
        invocation.container_id = invocation.arguments.back();
}

// As runc decides it (rootless_linux.go): root in a user namespace counts as an ordinary user unless $USER says root.
bool in_user_namespace() {
    std::ifstream map("/proc/self/uid_map");
    unsigned long long inside = 0, outside = 0, length = 0;
    if (!(map >> inside >> outside >> length)) return false;
    return !(inside == 0 && outside == 0 && length == 4294967295ULL);
}

std::string default_root() {
    const char *directory = std::getenv("XDG_RUNTIME_DIR");
    if (directory == nullptr || *directory == '\0') return "/run/runc";
    if (geteuid() == 0) {
        const char *user = std::getenv("USER");
        if (!in_user_namespace() || (user != nullptr && std::string_view(user) == "root")) return "/run/runc";
    }
    return std::string(directory) + "/runc";
}

std::string absolute(const std::string &path) {
    if (path.starts_with('/')) return path;
    std::array<char, 4096> directory{};
    if (getcwd(directory.data(), directory.size()) == nullptr) return path;
    return std::string(directory.data()) + "/" + path;
}

} // namespace

Invocation parse_invocation(std::vector<std::string> argv) {
    Invocation invocation;
    invocation.argv = std::move(argv);
    invocation.verb_index = parse_global_options(invocation);
    if (invocation.verb_index < invocation.argv.size()) invocation.verb = invocation.argv[invocation.verb_index];
    if (invocation.verb != "checkpoint" && invocation.verb != "restore") return invocation;

    parse_verb_options(invocation);
    invocation.root = invocation.root.empty() ? default_root() : absolute(invocation.root);
    if (invocation.image_path.empty()) invocation.image_path = absolute("checkpoint");
    return invocation;
}

} // namespace hrunc::shim
