// What sites record, found where the register allocator has put it.
#pragma once

#include <llvm/CodeGen/MachineInstr.h>
#include <llvm/CodeGen/TargetPassConfig.h>

namespace hrunc::link {

// To an allocator, what a site (a STATEPOINT) records is used there, as often as the call is made, so that it would
// keep it in registers, and copy it there, for the sake of nobody. But most of it is needed after the call anyway, and
// lies somewhere meanwhile. Adds passes to a configuration that optimises: one takes such values off the sites before
// registers are allocated; one puts back, after, the registers or stack slots that they are in at the call.
void record_without_use(llvm::TargetPassConfig &config);

// Whether a value of the instruction, a STATEPOINT, was taken off and not found again.
bool has_lost_value(const llvm::MachineInstr &instruction);

} // namespace hrunc::link
