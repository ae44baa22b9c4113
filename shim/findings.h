// What facts about hosts mean for containers that are to be checkpointed, restored and moved, with the remedy.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shim/host_facts.h"

namespace hrunc::shim {

struct Finding {
    enum class Status { kOk, kWarning, kLacking };

    std::string name;
    Status status;
    std::string text;
    std::string remedy; // empty where there is nothing to do
};

std::string_view name_of(Finding::Status status); // "ok", "warning", "lacking"

// Of a host by itself, in a fixed order. Nothing is lacking: its containers can be checkpointed and restored.
std::vector<Finding> judge(const HostFacts &facts);

// Of two hosts between which containers are to move; `there` was asked between `asked` and `answered`, milliseconds
// since 1970 by this host's clock.
std::vector<Finding> judge_pair(const HostFacts &here, const HostFacts &there, std::uint64_t asked,
                                std::uint64_t answered);

using ProgramVersion = std::pair<unsigned, unsigned>; // major and minor
// "28.5.2+dfsg1", "6.12.41-amd64", "4.1"; nothing if it does not begin with a number.
std::optional<ProgramVersion> version_from(std::string_view text);

} // namespace hrunc::shim
