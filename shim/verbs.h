// What hrunc does itself, without runc or around it. Exit codes: 0 done, 1 failed, 2 a call that makes no sense;
// where runc ends the call, runc's.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "shim/invocation.h"

namespace hrunc::shim {

inline constexpr int kUsageError = 2;

// The verbs of hrunc's own command line: setup, check, migrate, recode, inspect, host, notify.
struct Verb {
    std::string_view name;
    std::string_view summary;
    int (*run)(const std::vector<std::string> &arguments); // what stands behind the verb
};
std::span<const Verb> own_verbs();
const Verb *find_own_verb(std::string_view name); // nullptr: not one of them

int version_main(const Invocation &invocation);  // runc's lines, then hrunc's
int features_main(const Invocation &invocation); // runc's document with hrunc's annotations
int help_main(const Invocation &invocation);     // hrunc's help, then runc's; "help VERB" is whose the verb is

// runc's `features` document with hrunc's annotations added; members that stand there already are kept, in order.
Result<std::string> merge_features(std::string_view document);

std::string version_text();

int setup_main(const std::vector<std::string> &arguments);
int check_main(const std::vector<std::string> &arguments);
int migrate_main(const std::vector<std::string> &arguments);
int recode_main(const std::vector<std::string> &arguments);
int inspect_main(const std::vector<std::string> &arguments);
int host_main(const std::vector<std::string> &arguments);
int notify_main(const std::vector<std::string> &arguments);

} // namespace hrunc::shim
