#include <algorithm>
#include <iterator>

#include <nlohmann/json.hpp>

#include "recode/elf.h"
#include "recode/host.h"

namespace hrunc::recode {

namespace {

using Json = nlohmann::json;

constexpr int kHostFormat = 1;
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr const char *kKindNames[] = {"vvar", "vvar_vclock", "vdso"}; // in the order of KernelArea::Kind

std::string to_base64(std::string_view bytes) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        std::uint32_t group = 0;
        for (std::size_t i = 0; i < 3; ++i)
            group = group << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U);
        for (std::size_t i = 0; i < 4; ++i) text += at + i <= bytes.size() ? kBase64[group >> (18 - 6 * i) & 63] : '=';
    }
    return text;
}

Result<std::string> from_base64(std::string_view text) {
    std::string bytes;
    std::uint32_t group = 0;
    unsigned bits = 0;
    while (!text.empty() && text.back() == '=') text.remove_suffix(1);
    for (char c : text) {
        std::size_t value = kBase64.find(c);
        if (value == std::string_view::npos) return Error(ErrorCode::kInvalid, "not base64");
        group = (group << 6 | static_cast<std::uint32_t>(value)) & 0xffffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes += static_cast<char>(group >> bits & 0xff);
        }
    }
    return bytes;
}

Error wrong(std::string_view key, std::string_view what) {
    return Error(ErrorCode::kInvalid, "host description: \"" + std::string(key) + "\": " + std::string(what));
}

Result<std::uint64_t> number(const Json &json, const char *key, std::uint64_t limit) {
    auto found = json.find(key);
    if (found == json.end() || !found->is_number_unsigned())
        return wrong(key, "a number that is not negative is needed");
    auto value = found->get<std::uint64_t>();
    if (value > limit) return wrong(key, std::to_string(value) + " is more than the limit of " + std::to_string(limit));
    return value;
}

Result<std::string> text(const Json &json, const char *key) {
    auto found = json.find(key);
    if (found == json.end() || !found->is_string()) return wrong(key, "a text is needed");
    return found->get<std::string>();
}

Result<void> read_areas(const Json &json, Host &host) {
    auto areas = json.find("kernel_areas");
    if (areas == json.end() || !areas->is_array()) return wrong("kernel_areas", "a list is needed");
    if (areas->size() > kMaxKernelAreas)
        return wrong("kernel_areas", "more than the limit of " + std::to_string(kMaxKernelAreas) + " areas");
    std::size_t vdsos = 0;
    for (const Json &area : *areas) {
        if (!area.is_object()) return wrong("kernel_areas", "a list of objects is needed");
        HRUNC_ASSIGN(std::string kind, text(area, "kind"));
        HRUNC_ASSIGN(std::uint64_t size, number(area, "size", kMaxKernelArea));
        if (size == 0 || size % host.page_size != 0)
            return wrong("size", std::to_string(size) + " is not a multiple of the page size");
        const char *const *known = std::find(std::begin(kKindNames), std::end(kKindNames), kind);
        if (known == std::end(kKindNames)) return wrong("kind", "is none of vvar, vvar_vclock, vdso");
        host.kernel_areas.push_back({static_cast<KernelArea::Kind>(known - kKindNames), size});
        if (host.kernel_areas.back().kind != KernelArea::Kind::kVdso) continue;
        if (size != host.vdso.size()) return wrong("vdso", "is not as long as its area");
        ++vdsos;
    }
    if (vdsos != 1) return wrong("kernel_areas", "one vdso is needed");
    return {};
}

Result<void> read_vdso(const Json &json, Host &host) {
    HRUNC_ASSIGN(std::string encoded, text(json, "vdso"));
    if (encoded.size() / 4 * 3 > kMaxVdsoBytes)
        return wrong("vdso", "more than the limit of " + std::to_string(kMaxVdsoBytes) + " bytes");
    HRUNC_ASSIGN_IN(host.vdso, from_base64(encoded), "host description: \"vdso\"");
    HRUNC_ASSIGN_IN(Elf elf, Elf::from_bytes(host.vdso), "host description: \"vdso\"");
    if (elf.isa() != host.isa) return wrong("vdso", "is one of " + std::string(arch::name(elf.isa())));
    return {};
}

Result<void> read_directories(const Json &json, Host &host) {
    auto directories = json.find("kernel_directories");
    if (directories == json.end()) return {};
    if (!directories->is_object()) return wrong("kernel_directories", "an object is needed");
    std::size_t names = 0;
    for (const auto &[path, list] : directories->items()) {
        if (!list.is_array()) return wrong("kernel_directories", "lists of names are needed");
        std::vector<std::string> &out = host.kernel_directories[path];
        for (const Json &name : list) {
            if (!name.is_string()) return wrong("kernel_directories", "lists of names are needed");
            if (++names > kMaxKernelNames)
                return wrong("kernel_directories",
                             "more than the limit of " + std::to_string(kMaxKernelNames) + " names");
            out.push_back(name.get<std::string>());
        }
        std::sort(out.begin(), out.end());
    }
    return {};
}

Result<Host> read_host(const Json &json) {
    if (!json.is_object()) return Error(ErrorCode::kInvalid, "host description: not an object");
    HRUNC_ASSIGN(std::uint64_t format, number(json, "hrunc_host", UINT32_MAX));
    if (format != kHostFormat)
        return Error(ErrorCode::kInvalid,
                     "host description: version " + std::to_string(format) + " is not " + std::to_string(kHostFormat));
    Host host;
    HRUNC_ASSIGN(std::string isa, text(json, "isa"));
    auto known = arch::from_name(isa);
    if (!known) return wrong("isa", "is neither x86-64 nor aarch64");
    host.isa = *known;
    HRUNC_ASSIGN(host.page_size, number(json, "page_size", 65536));
    if (host.page_size < 4096 || (host.page_size & (host.page_size - 1)) != 0)
        return wrong("page_size", std::to_string(host.page_size) + " is not a power of two from 4096 on");
    HRUNC_ASSIGN(host.address_limit, number(json, "address_limit", std::uint64_t{1} << 56));
    if (host.address_limit < std::uint64_t{1} << 32 || host.address_limit % host.page_size != 0)
        return wrong("address_limit", std::to_string(host.address_limit) + " cannot be");
    HRUNC_ASSIGN(std::uint64_t last, number(json, "last_capability", 63));
    host.last_capability = static_cast<std::uint32_t>(last);
    HRUNC_ASSIGN(host.hwcap, number(json, "hwcap", UINT64_MAX));
    HRUNC_ASSIGN(host.hwcap2, number(json, "hwcap2", UINT64_MAX));
    HRUNC_ASSIGN(host.minimum_signal_stack, number(json, "minimum_signal_stack", UINT32_MAX));
    HRUNC_ASSIGN(host.kernel_release, text(json, "kernel_release"));
    HRUNC_TRY(read_vdso(json, host));
    HRUNC_TRY(read_areas(json, host));
    HRUNC_TRY(read_directories(json, host));
    return host;
}

} // namespace

std::string to_json(const Host &host) {
    Json areas = Json::array();
    for (const KernelArea &area : host.kernel_areas)
        areas.push_back({{"kind", kKindNames[static_cast<std::size_t>(area.kind)]}, {"size", area.size}});
    Json json = {{"hrunc_host", kHostFormat},
                 {"isa", arch::name(host.isa)},
                 {"page_size", host.page_size},
                 {"address_limit", host.address_limit},
                 {"last_capability", host.last_capability},
                 {"kernel_areas", std::move(areas)},
                 {"vdso", to_base64(host.vdso)},
                 {"hwcap", host.hwcap},
                 {"hwcap2", host.hwcap2},
                 {"minimum_signal_stack", host.minimum_signal_stack},
                 {"kernel_release", host.kernel_release},
                 {"kernel_directories", host.kernel_directories}};
    return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Host> host_from_json(std::string_view text) {
    if (text.size() > kMaxHostText)
        return Error(ErrorCode::kInvalid,
                     "host description: more than the limit of " + std::to_string(kMaxHostText) + " bytes");
    try {
        Json json = Json::parse(text, nullptr, false);
        if (json.is_discarded()) return Error(ErrorCode::kInvalid, "host description: not JSON");
        return read_host(json);
    } catch (const Json::exception &error) {
        return Error(ErrorCode::kInvalid, std::string("host description: ") + error.what());
    }
}

} // namespace hrunc::recode
