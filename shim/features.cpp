#include <cstdio>

#include "arch/isa.h"
#include "oci/json.h"
#include "shim/capture.h"
#include "shim/log.h"
#include "shim/verbs.h"
#include "shim/version.h"

namespace hrunc::shim {

namespace {

constexpr std::size_t kFeaturesLimit = std::size_t{1} << 20; // bytes that runc may print

std::string isa_names() {
    std::string names;
    for (arch::Isa isa : arch::kIsas) names += (names.empty() ? "" : ",") + std::string(arch::name(isa));
    return names;
}

// Values of annotations are strings.
std::vector<std::pair<std::string, std::string>> own_annotations() {
    return {
        {"org.hrunc.version", HRUNC_VERSION},    {"org.hrunc.commit", HRUNC_COMMIT},
        {"org.hrunc.isas", isa_names()},         {"org.hrunc.abis", "popcorn,portable"},
        {"org.hrunc.checkpoint.recode", "true"},
    };
}

} // namespace

Result<std::string> merge_features(std::string_view document) {
    HRUNC_ASSIGN_IN(oci::Json features, oci::parse_json(document), "features of runc");
    if (!features.is_object()) return Error(ErrorCode::kPeer, "features of runc: not a JSON object");
    oci::Json &annotations = features["annotations"];
    if (annotations.is_null()) annotations = oci::Json::object();
    if (!annotations.is_object()) return Error(ErrorCode::kPeer, "features of runc: \"annotations\" is not an object");
    for (const auto &[name, value] : own_annotations()) annotations[name] = value;
    // runtime-spec features.md: whoever lets others choose annotations has to think about these; a name that ends in a
    // dot is a prefix.
    auto unsafe = features.find("potentiallyUnsafeConfigAnnotations");
    if (unsafe != features.end() && unsafe->is_array()) unsafe->push_back("org.hrunc.");
    return oci::to_text(features, 4) + "\n";
}

int features_main(const Invocation &invocation) {
    Result<std::string> runc = find_runc();
    if (!runc) return fatal(runc.error());
    std::vector<std::string> argv = invocation.argv;
    argv.front() = "runc";
    Result<Captured> captured = capture(*runc, argv, kFeaturesLimit);
    if (!captured) return fatal(captured.error());
    if (captured->exit_code != 0) {
        std::fputs(captured->output.c_str(), stdout);
        return captured->exit_code;
    }
    Result<std::string> merged = merge_features(captured->output);
    if (!merged) return fatal(merged.error());
    std::fputs(merged->c_str(), stdout);
    return 0;
}

} // namespace hrunc::shim
