#include <cstdio>

#include "recode/host.h"
#include "shim/command_line.h"
#include "shim/verbs.h"

namespace hrunc::shim {

int host_main(const std::vector<std::string> &arguments) {
    CLI::App app("Describes this host as JSON, for `hrunc recode --host` on another one.", "hrunc host");
    app.footer("Example:\n"
               "  ssh pi hrunc host > pi.json\n"
               "\n"
               "Exit code: 0 done, 1 failed, 2 a call that makes no sense.");
    if (std::optional<int> code = parse_arguments(app, arguments)) return *code;

    Result<recode::Host> host = recode::this_host();
    if (!host) return report(std::move(host).error().in("host"));
    std::fputs(recode::to_json(*host).c_str(), stdout);
    std::fputc('\n', stdout);
    return 0;
}

} // namespace hrunc::shim
