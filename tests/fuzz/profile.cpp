// A seccomp profile, built for either ISA.
#include <cstdlib>

#include "recode/transform/seccomp_profile.h"

using namespace hrunc;
using namespace hrunc::recode;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char *>(data), size);
    for (arch::Isa isa : arch::kIsas) {
        Result<SeccompProgram> program = compile_seccomp(text, isa, 1);
        if (program && program->bpf.size() > kMaxBpfInstructions * 8) std::abort();
        if (!program && program.error().code() == ErrorCode::kSystem) std::abort(); // libseccomp crashed
    }
    return 0;
}
