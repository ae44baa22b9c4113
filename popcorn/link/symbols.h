// Names with a meaning of their own.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include <llvm/IR/Module.h>

namespace hrunc::link {

// Whether the linker script defines it: __init_array_start, __start_SECTION, _end and so on.
bool is_linker_symbol(std::string_view name);

// Functions that the code generator of some ISA may call for what `module` contains, without being named there.
std::set<std::string> generated_calls(const llvm::Module &module);

// All functions that code generators may call.
const std::set<std::string> &runtime_calls();

} // namespace hrunc::link
