// Variadic functions become ordinary ones with one more parameter, the address of the arguments.
#pragma once

#include <llvm/IR/Module.h>

namespace hrunc::passes {

// Each call of variadic type stores its variadic arguments into an alloca of its own, in slots of eight bytes
// (arguments of 16 bytes are aligned to 16, as the front end's va_arg expects them), at least six of them: fcntl, open
// and syscall read arguments that were not passed. va_start stores that address into the va_list, which is a plain
// pointer; va_copy copies it; va_end goes. What decides is the type of the call, not of the function that is called.
void lower_variadics(llvm::Module &module);

} // namespace hrunc::passes
