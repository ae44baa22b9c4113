// Whether anything in a directory has changed, without reading what its files hold.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hrunc::migrate {

// A number that is another one after any change of content, attributes or names beneath the directories. (It is made of
// inode numbers and change times, which the kernel sets; so that writes through a mapping count, sync_trees() has to
// come before the state that is compared with.) Nothing: they could not be looked through, changed meanwhile, or lie on
// a tmpfs, where this does not work.
std::optional<std::uint64_t> state_of_trees(const std::vector<std::string> &directories);

// Writes back what is dirty on the directories' file systems, so that the next write through a mapping is noticed.
void sync_trees(const std::vector<std::string> &directories);

} // namespace hrunc::migrate
