// Whether anything in a directory has changed, without reading what its files hold.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace hrunc::migrate {

// A number that is another one after any change of content, attributes or names beneath the directory. (It is made of
// inode numbers and change times, which the kernel sets; so that writes through a mapping count, sync_tree() has to
// come before the state that is compared with.) Nothing: it could not be looked through, changed meanwhile, or lies on
// a tmpfs, where this does not work.
std::optional<std::uint64_t> state_of_tree(const std::string &directory);

// Writes back what is dirty on the directory's file system, so that the next write through a mapping is noticed.
void sync_tree(const std::string &directory);

} // namespace hrunc::migrate
