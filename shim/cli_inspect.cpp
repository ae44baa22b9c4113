#include <cstdio>

#include "oci/json.h"
#include "recode/inspect.h"
#include "shim/command_line.h"
#include "shim/verbs.h"

namespace hrunc::shim {

int inspect_main(const std::vector<std::string> &arguments) {
    CLI::App app("Shows what is in a checkpoint.", "hrunc inspect");
    recode::InspectOptions options;
    std::string images;
    bool json = false;
    app.add_flag("--json", json, "as JSON");
    app.add_flag("--pages", options.pages, "each run of memory pages of each process, too");
    app.add_option("DIR", images, "the checkpoint: CRIU's image directory")->required()->option_text(" ");
    app.footer("Example:\n"
               "  hrunc inspect --json checkpoint | jq .\n"
               "\n"
               "Exit code: 0 done, 1 failed, 2 a call that makes no sense.");
    if (std::optional<int> code = parse_arguments(app, arguments)) return *code;

    if (json) options.format = recode::Outline::Format::kJson;
    Result<void> done = recode::inspect(images, options, [](std::string_view piece) {
        std::fwrite(piece.data(), 1, piece.size(), stdout);
        return Result<void>();
    });
    if (!done) return report(std::move(done).error().in("inspect " + oci::in_quotes(images)));
    return 0;
}

} // namespace hrunc::shim
