#include "shim/config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>

#include "base/fd.h"
#include "oci/json.h"

namespace hrunc::shim {

namespace {

constexpr std::size_t kConfigLimit = std::size_t{64} << 10; // bytes
constexpr std::string_view kAnnotationPrefix = "org.hrunc.";

bool is_printable(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

bool is_absolute(std::string_view path) {
    return path.starts_with('/') && path.size() < 4096 && is_printable(path);
}

bool is_program(std::string_view text) {
    bool name = !text.empty() && text.find('/') == std::string_view::npos && is_printable(text);
    return name || is_absolute(text);
}

std::optional<std::chrono::milliseconds> duration(std::string_view text) {
    std::uint64_t count = 0;
    auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), count);
    std::string_view unit(rest, static_cast<std::size_t>(text.data() + text.size() - rest));
    constexpr std::uint64_t kHour = 3'600'000;
    std::uint64_t factor = unit == "ms" ? 1 : unit == "s" ? 1'000 : unit == "m" ? 60'000 : unit == "h" ? kHour : 0;
    if (failure != std::errc() || factor == 0 || count == 0 || count > kHour / factor) return std::nullopt;
    return std::chrono::milliseconds(count * factor);
}

template <std::string Config::*member, bool (*is_right)(std::string_view)>
bool set_text(Config &config, std::string_view text) {
    if (!is_right(text)) return false;
    config.*member = text;
    return true;
}

bool is_absolute_or_empty(std::string_view path) {
    return path.empty() || is_absolute(path);
}

template <typename Value> struct Choice {
    std::string_view name;
    Value value;
};

template <typename Value, std::size_t size>
bool choose(Value &chosen, const std::array<Choice<Value>, size> &choices, std::string_view text) {
    for (const Choice<Value> &choice : choices) {
        if (choice.name != text) continue;
        chosen = choice.value;
        return true;
    }
    return false;
}

bool set_notify_timeout(Config &config, std::string_view text) {
    std::optional<std::chrono::milliseconds> timeout = duration(text);
    if (timeout) config.notify_timeout = *timeout;
    return timeout.has_value();
}

bool set_unmigratable(Config &config, std::string_view text) {
    constexpr std::array<Choice<Unmigratable>, 2> kChoices{
        {{"pass", Unmigratable::kPass}, {"refuse", Unmigratable::kRefuse}}};
    return choose(config.unmigratable, kChoices, text);
}

bool set_tcp(Config &config, std::string_view text) {
    constexpr std::array<Choice<Tcp>, 3> kChoices{
        {{"refuse", Tcp::kRefuse}, {"established", Tcp::kEstablished}, {"close", Tcp::kClose}}};
    return choose(config.tcp, kChoices, text);
}

bool set_network_lock(Config &config, std::string_view text) {
    constexpr std::array<Choice<NetworkLock>, 4> kChoices{{{"default", NetworkLock::kDefault},
                                                           {"iptables", NetworkLock::kIptables},
                                                           {"nftables", NetworkLock::kNftables},
                                                           {"skip", NetworkLock::kSkip}}};
    return choose(config.network_lock, kChoices, text);
}

bool set_target(Config &config, std::string_view text) {
    if (text == "other") {
        config.target.reset();
        return true;
    }
    std::optional<arch::Isa> isa = arch::from_name(text);
    if (isa) config.target = isa;
    return isa.has_value();
}

struct Setting {
    ConfigKey key;
    bool (*set)(Config &, std::string_view); // false: not allowed, and nothing changed
    std::string_view allowed;
};

constexpr std::string_view kProgram = "an absolute path, or a name without a slash to be found on PATH";
constexpr std::string_view kAbsolutePath = "an absolute path";

constexpr std::array kSettings{
    Setting{{"runc", false}, set_text<&Config::runc, is_program>, kProgram},
    Setting{{"criu", false}, set_text<&Config::criu, is_program>, kProgram},
    Setting{{"notify-timeout", true}, set_notify_timeout, R"(from "1ms" to "1h", in ms, s, m or h)"},
    Setting{{"unmigratable", true}, set_unmigratable, R"("pass", "refuse")"},
    Setting{{"tcp", true}, set_tcp, R"("refuse", "established", "close")"},
    Setting{{"network-lock", true}, set_network_lock, R"("default", "iptables", "nftables", "skip")"},
    Setting{{"target", true}, set_target, R"("x86-64", "aarch64", "other")"},
    Setting{{"state-directory", false}, set_text<&Config::state_directory, is_absolute>, kAbsolutePath},
    Setting{{"log-directory", false}, set_text<&Config::log_directory, is_absolute>, kAbsolutePath},
    Setting{{"debug-log", false}, set_text<&Config::debug_log, is_absolute_or_empty>, R"(an absolute path, or "")"},
};

const Setting *find_setting(std::string_view name) {
    for (const Setting &setting : kSettings)
        if (setting.key.name == name) return &setting;
    return nullptr;
}

std::string key_names(bool per_container_only) {
    std::string names;
    for (const Setting &setting : kSettings) {
        if (per_container_only && !setting.key.per_container) continue;
        names += (names.empty() ? "\"" : ", \"") + std::string(setting.key.name) + "\"";
    }
    return names;
}

Error not_allowed(const std::string &value, std::string_view allowed) {
    return {ErrorCode::kInvalid, value + " is not allowed; allowed: " + std::string(allowed)};
}

Result<void> take_key(Config &config, const std::string &name, const oci::Json &value) {
    const Setting *setting = find_setting(name);
    if (setting == nullptr) return not_allowed("this key", key_names(false));
    const auto *text = value.get_ptr<const std::string *>();
    if (text == nullptr) return not_allowed(oci::to_text(value).substr(0, 200), setting->allowed);
    if (!setting->set(config, *text)) return not_allowed(oci::in_quotes(*text), setting->allowed);
    return {};
}

Result<void> take_annotation(Config &config, const std::string &name, const std::string &value) {
    const Setting *setting = find_setting(std::string_view(name).substr(kAnnotationPrefix.size()));
    if (setting == nullptr) return not_allowed("this key", key_names(true));
    if (!setting->key.per_container)
        return Error(ErrorCode::kRefused, "programs and paths are set in \"" + config_file() + "\" only");
    if (!setting->set(config, value)) return not_allowed(oci::in_quotes(value), setting->allowed);
    return {};
}

// A file that somebody else can write would let them choose what hrunc starts.
Result<void> check_file(const Fd &fd) {
    struct stat status{};
    if (fstat(fd.get(), &status) != 0) return Error::system("stat");
    if (!S_ISREG(status.st_mode)) return Error(ErrorCode::kInvalid, "not a regular file");
    if (status.st_uid != 0 && status.st_uid != geteuid())
        return Error(ErrorCode::kRefused,
                     "belongs to user " + std::to_string(status.st_uid) + "; allowed: root, or who runs hrunc");
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return Error(ErrorCode::kRefused, "is writable by its group or by others");
    return {};
}

// nullopt where there is no such file.
Result<std::optional<std::string>> read_config(const std::string &file) {
    int number = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (number < 0) {
        if (errno == ENOENT || errno == ENOTDIR) return std::optional<std::string>();
        return Error::system("open " + oci::in_quotes(file));
    }
    Fd fd(number);
    HRUNC_TRY_IN(check_file(fd), oci::in_quotes(file));
    HRUNC_ASSIGN_IN(std::string text, read_to_end(fd, kConfigLimit), oci::in_quotes(file));
    return std::optional<std::string>(std::move(text));
}

Result<oci::Json> parse_config(const std::string &file, std::string_view text) {
    HRUNC_ASSIGN_IN(oci::Json json, oci::parse_json(text), oci::in_quotes(file));
    if (!json.is_object()) return Error(ErrorCode::kInvalid, oci::in_quotes(file) + ": not a JSON object");
    return json;
}

} // namespace

std::string config_file() {
    const char *named = secure_getenv("HRUNC_CONFIG");
    return named != nullptr && *named == '/' ? named : kConfigFile;
}

std::vector<ConfigKey> config_keys() {
    std::vector<ConfigKey> keys;
    for (const Setting &setting : kSettings) keys.push_back(setting.key);
    return keys;
}

Result<std::string> load_runc(const std::string &file) {
    Config config;
    HRUNC_ASSIGN(std::optional<std::string> text, read_config(file));
    if (!text) return config.runc;
    HRUNC_ASSIGN(oci::Json json, parse_config(file, *text));
    if (json.contains("runc"))
        HRUNC_TRY_IN(take_key(config, "runc", json["runc"]), oci::in_quotes(file) + ": key \"runc\"");
    return config.runc;
}

Result<Config> load_config(const std::string &file, const std::map<std::string, std::string> &annotations) {
    HRUNC_ASSIGN(std::optional<std::string> text, read_config(file));
    return config_from(file, text ? *text : "{}", annotations);
}

Result<Config> config_from(const std::string &file, std::string_view text,
                           const std::map<std::string, std::string> &annotations) {
    Config config;
    HRUNC_ASSIGN(oci::Json json, parse_config(file, text));
    for (const auto &[name, value] : json.items())
        HRUNC_TRY_IN(take_key(config, name, value), oci::in_quotes(file) + ": key " + oci::in_quotes(name));
    for (const auto &[name, value] : annotations) {
        if (!name.starts_with(kAnnotationPrefix)) continue;
        HRUNC_TRY_IN(take_annotation(config, name, value), "config.json: annotation " + oci::in_quotes(name));
    }
    return config;
}

} // namespace hrunc::shim
