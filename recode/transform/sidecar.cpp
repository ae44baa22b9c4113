#include "recode/transform/sidecar.h"

#include <nlohmann/json.hpp>

#include "recode/image_file.h"

namespace hrunc::recode {

namespace {
constexpr std::size_t kMaxSidecar = 4096; // bytes
constexpr int kSidecarFormat = 1;
} // namespace

std::string sidecar(arch::Isa from, arch::Isa to) {
    return nlohmann::json{{"hrunc_recode", kSidecarFormat}, {"from", arch::name(from)}, {"to", arch::name(to)}}.dump() +
           "\n";
}

bool recoded_before(const Fd &directory, arch::Isa from, arch::Isa to) {
    Result<Fd> file = open_image(directory, kSidecarName);
    if (!file) return false;
    Result<std::string> text = read_to_end(*file, kMaxSidecar);
    return text && *text == sidecar(from, to);
}

} // namespace hrunc::recode
