// Thread-local variables at constant distances below the thread pointer, the same on both ISAs.
#pragma once

#include <llvm/IR/Module.h>

namespace hrunc::passes {

// Every access becomes thread pointer + constant. The initial values go into a constant that `__popcorn_tls` describes
// to the C library: {ptr image, i64 filled, i64 size, i64 align}; a thread's block is `size` bytes that end at its
// thread pointer, which is a multiple of `align`.
void lower_thread_locals(llvm::Module &module);

} // namespace hrunc::passes
