#include "shim/command_line.h"

#include <cstdio>

#include "shim/verbs.h"

namespace hrunc::shim {

std::optional<int> parse_arguments(CLI::App &app, const std::vector<std::string> &arguments) {
    try {
        std::vector<std::string> last_first(arguments.rbegin(), arguments.rend()); // as CLI11 takes them
        app.parse(std::move(last_first));
        return std::nullopt;
    } catch (const CLI::CallForHelp &) {
        std::fputs(app.help().c_str(), stdout);
        return 0;
    } catch (const CLI::ParseError &error) {
        std::string verb = app.get_name().substr(app.get_name().find(' ') + 1);
        std::fputs(("hrunc: " + verb + ": " + error.what() + "; see \"hrunc help " + verb + "\"\n").c_str(), stderr);
        return kUsageError;
    }
}

int report(const Error &error) {
    std::fputs(("hrunc: " + error.text() + "\n").c_str(), stderr);
    return 1;
}

} // namespace hrunc::shim
