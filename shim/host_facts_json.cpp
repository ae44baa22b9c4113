#include <algorithm>

#include "oci/fields.h"
#include "shim/host_facts.h"

namespace hrunc::shim {

namespace {

using oci::Json;

Json program_to_json(const ProgramFacts &program) {
    return {{"path", program.path}, {"version", program.version}, {"problem", program.problem}};
}

Result<std::string> plain_at(const Json &json, std::string_view path) {
    HRUNC_ASSIGN(std::string text, oci::text_at(json, path));
    return plain(text);
}

Result<std::vector<std::string>> plain_list_at(const Json &json, std::string_view path) {
    HRUNC_ASSIGN(std::vector<const Json *> list, oci::list_at(json, path));
    if (list.size() > kMaxFactList)
        return Error(ErrorCode::kInvalid,
                     std::string(path) + ": more than the limit of " + std::to_string(kMaxFactList) + " texts");
    std::vector<std::string> texts;
    for (const Json *element : list) {
        if (!element->is_string())
            return Error(ErrorCode::kInvalid, std::string(path) + ": a list of texts is expected");
        texts.push_back(plain(element->get_ref<const std::string &>()));
    }
    return texts;
}

Result<ProgramFacts> program_at(const Json &json, const std::string &key) {
    ProgramFacts program;
    HRUNC_ASSIGN(program.path, plain_at(json, key + ".path"));
    HRUNC_ASSIGN(program.version, plain_at(json, key + ".version"));
    HRUNC_ASSIGN(program.problem, plain_at(json, key + ".problem"));
    return program;
}

Result<void> read_host(const Json &json, HostFacts &facts) {
    HRUNC_ASSIGN(std::string isa, oci::text_at(json, "isa"));
    std::optional<arch::Isa> known = arch::from_name(isa);
    if (!known) return Error(ErrorCode::kInvalid, "isa: " + oci::in_quotes(isa) + " is neither x86-64 nor aarch64");
    facts.isa = *known;
    HRUNC_ASSIGN(facts.hrunc, plain_at(json, "hrunc"));
    HRUNC_ASSIGN(facts.hrunc_path, plain_at(json, "hruncPath"));
    HRUNC_ASSIGN(facts.name, plain_at(json, "name"));
    HRUNC_ASSIGN(facts.kernel, plain_at(json, "kernel"));
    HRUNC_ASSIGN(facts.page_size, oci::number_at(json, "pageSize", std::uint64_t{1} << 20));
    HRUNC_ASSIGN(facts.address_limit, oci::number_at(json, "addressLimit", std::uint64_t{1} << 60));
    HRUNC_ASSIGN(facts.time, oci::number_at(json, "time", std::uint64_t{1} << 53));
    HRUNC_ASSIGN(facts.root, oci::flag_at(json, "root"));
    return {};
}

Result<void> read_kernel(const Json &json, HostFacts &facts) {
    HRUNC_ASSIGN(facts.kernel_config, plain_at(json, "kernelConfig"));
    HRUNC_ASSIGN(facts.missing_options, plain_list_at(json, "missingOptions"));
    HRUNC_ASSIGN(std::uint64_t version, oci::number_at(json, "cgroups.version", 2));
    facts.cgroup_version = static_cast<unsigned>(version);
    HRUNC_ASSIGN(facts.cgroup_controllers, plain_list_at(json, "cgroups.controllers"));
    HRUNC_ASSIGN(facts.seccomp, oci::flag_at(json, "seccomp"));
    return {};
}

Result<void> read_programs(const Json &json, HostFacts &facts) {
    HRUNC_ASSIGN(facts.configuration_problem, plain_at(json, "configurationProblem"));
    HRUNC_ASSIGN(facts.criu, program_at(json, "criu"));
    HRUNC_ASSIGN(facts.criu_check, plain_at(json, "criuCheck"));
    HRUNC_ASSIGN(facts.network_lock, oci::flag_at(json, "networkLock"));
    HRUNC_ASSIGN(facts.runc, program_at(json, "runc"));
    HRUNC_ASSIGN(facts.docker, program_at(json, "docker"));
    HRUNC_ASSIGN(facts.podman, oci::flag_at(json, "podman"));
    HRUNC_ASSIGN(facts.experimental, oci::flag_at(json, "experimental"));
    HRUNC_ASSIGN(facts.runtime, plain_at(json, "runtime"));
    HRUNC_ASSIGN(facts.runtime_there, oci::flag_at(json, "runtimeThere"));
    HRUNC_ASSIGN(facts.security, plain_list_at(json, "security"));
    return {};
}

} // namespace

std::string plain(std::string_view text) {
    std::string out(text.substr(0, kMaxFactText));
    std::ranges::replace_if(out, [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '?');
    return out;
}

std::string to_json(const HostFacts &facts, int indent) {
    Json json{
        {"hrunc", facts.hrunc},
        {"hruncPath", facts.hrunc_path},
        {"name", facts.name},
        {"isa", arch::name(facts.isa)},
        {"kernel", facts.kernel},
        {"pageSize", facts.page_size},
        {"addressLimit", facts.address_limit},
        {"time", facts.time},
        {"root", facts.root},
        {"kernelConfig", facts.kernel_config},
        {"missingOptions", facts.missing_options},
        {"cgroups", {{"version", facts.cgroup_version}, {"controllers", facts.cgroup_controllers}}},
        {"seccomp", facts.seccomp},
        {"configurationProblem", facts.configuration_problem},
        {"criu", program_to_json(facts.criu)},
        {"criuCheck", facts.criu_check},
        {"networkLock", facts.network_lock},
        {"runc", program_to_json(facts.runc)},
        {"docker", program_to_json(facts.docker)},
        {"podman", facts.podman},
        {"experimental", facts.experimental},
        {"runtime", facts.runtime},
        {"runtimeThere", facts.runtime_there},
        {"security", facts.security},
    };
    return oci::to_text(json, indent);
}

Result<HostFacts> host_facts_from_json(std::string_view text) {
    if (text.size() > kMaxFactsText)
        return Error(ErrorCode::kInvalid, "larger than the limit of " + std::to_string(kMaxFactsText) + " bytes");
    HRUNC_ASSIGN(Json json, oci::parse_json(text));
    HRUNC_ASSIGN(const Json *found, oci::find_member(json, "facts"));
    if (found == nullptr) return Error(ErrorCode::kInvalid, "\"facts\" is missing");
    HostFacts facts;
    HRUNC_TRY_IN(read_host(*found, facts), "\"facts\"");
    HRUNC_TRY_IN(read_kernel(*found, facts), "\"facts\"");
    HRUNC_TRY_IN(read_programs(*found, facts), "\"facts\"");
    return facts;
}

} // namespace hrunc::shim
