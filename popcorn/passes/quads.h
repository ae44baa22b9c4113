// Numbers of 128 bits in LLVM 19.
#pragma once

namespace llvm {
class PassBuilder;
} // namespace llvm

namespace hrunc::passes {

// Has the builder's pipelines fold no call of one argument that gives a number of 128 bits. The inliner's estimate
// folds calls without a description of the library, and for these the folding looks into it all the same: where LLVM
// was built with such numbers of its own, as in Debian 13, it crashes.
void keep_quad_calls(llvm::PassBuilder &builder);

} // namespace hrunc::passes
