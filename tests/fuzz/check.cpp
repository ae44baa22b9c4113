// What `hrunc check --json` said on another host: accepted, it comes back the same, all that is printed of it is
// printable, and it can be judged. And what docker said of its daemon.
#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "shim/docker.h"
#include "shim/findings.h"

namespace {

void print(const std::vector<hrunc::shim::Finding> &findings) {
    for (const auto &finding : findings)
        for (const std::string &text : {finding.name, finding.text, finding.remedy})
            if (std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c > 0x7e; })) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t size) {
    using namespace hrunc::shim;
    std::string_view text(reinterpret_cast<const char *>(data), size);
    static_cast<void>(docker_info_from(text).ok());
    hrunc::Result<HostFacts> facts = host_facts_from_json(text);
    if (!facts) return 0;
    hrunc::Result<HostFacts> again = host_facts_from_json("{\"facts\": " + to_json(*facts) + "}");
    if (!again || !(*again == *facts)) std::abort();
    print(judge(*facts));
    print(judge_pair(*facts, HostFacts(), 1, 2));
    print(judge_pair(HostFacts(), *facts, 1, 2));
    return 0;
}
