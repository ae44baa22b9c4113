#include "popcorn/link/live_through.h"

#include <llvm/CodeGen/LiveIntervals.h>
#include <llvm/CodeGen/MachineFrameInfo.h>
#include <llvm/CodeGen/MachineFunctionPass.h>
#include <llvm/CodeGen/MachineInstrBuilder.h>
#include <llvm/CodeGen/MachineRegisterInfo.h>
#include <llvm/CodeGen/Passes.h>
#include <llvm/CodeGen/StackMaps.h>
#include <llvm/CodeGen/TargetInstrInfo.h>
#include <llvm/CodeGen/TargetSubtargetInfo.h>
#include <llvm/CodeGen/VirtRegMap.h>

#include <functional>

namespace hrunc::link {
namespace {

using llvm::MachineInstr;
using llvm::MachineOperand;
using llvm::Register;
using llvm::StackMaps;

// What stands in a site in place of a value: an operand of a kind that no code generator makes here, which holds the
// virtual register's index and the part of it, a sub-register's index or 0.
MachineOperand placeholder(const MachineOperand &value) {
    return MachineOperand::CreateTargetIndex(Register::virtReg2Index(value.getReg()), value.getSubReg());
}

// Calls `visit` with the operand of each recorded value, or its first.
void for_each_recorded(const MachineInstr &site, const std::function<void(const MachineOperand &)> &visit) {
    const llvm::StatepointOpers operands(&site);
    unsigned at = operands.getNumDeoptArgsIdx() + 1;
    for (std::uint64_t i = 0; i < operands.getNumDeoptArgs(); i++, at = StackMaps::getNextMetaArgIdx(&site, at))
        visit(site.getOperand(at));
}

bool is_site(const MachineInstr &instruction) {
    return instruction.getOpcode() == llvm::TargetOpcode::STATEPOINT;
}

// Makes the site one whose operands are others: where `replace` adds any to the builder, it returns true.
void rewrite(MachineInstr &site, llvm::LiveIntervals &intervals,
             const std::function<bool(const MachineOperand &, llvm::MachineInstrBuilder &)> &replace) {
    llvm::MachineFunction &function = *site.getMF();
    llvm::MachineInstrBuilder copy(
        function, function.CreateMachineInstr(site.getDesc(), site.getDebugLoc(), /*NoImplicit=*/true));
    site.getParent()->insert(site.getIterator(), copy);
    copy->setFlags(site.getFlags());
    copy.cloneMemRefs(site);
    const unsigned number = site.peekDebugInstrNum();
    for (const MachineOperand &operand : site.operands()) {
        if (replace(operand, copy)) continue;
        if (number != 0 && operand.isReg() && operand.isDef())
            function.makeDebugValueSubstitution({number, site.getOperandNo(&operand)},
                                                {copy->getDebugInstrNum(), copy->getNumOperands()});
        copy.add(operand);
    }
    intervals.ReplaceMachineInstrInMaps(site, *copy);
    site.eraseFromParent();
}

class TakeOff : public llvm::MachineFunctionPass {
  public:
    static inline char ID = 0;
    TakeOff() : MachineFunctionPass(ID) {}

    void getAnalysisUsage(llvm::AnalysisUsage &usage) const override {
        usage.addRequired<llvm::LiveIntervalsWrapperPass>();
        usage.setPreservesAll();
        MachineFunctionPass::getAnalysisUsage(usage);
    }

    bool runOnMachineFunction(llvm::MachineFunction &function) override {
        registers_ = &function.getRegInfo();
        intervals_ = &getAnalysis<llvm::LiveIntervalsWrapperPass>().getLIS();
        instructions_ = function.getSubtarget().getInstrInfo();
        recorded_.clear();
        llvm::SmallVector<MachineInstr *, 32> sites;
        for (llvm::MachineBasicBlock &block : function)
            for (MachineInstr &instruction : block)
                if (is_site(instruction)) sites.push_back(&instruction);
        for (const MachineInstr *site : sites)
            for_each_recorded(*site, [&](const MachineOperand &value) {
                if (may_be_taken(value)) recorded_[value.getReg()];
            });
        for (auto &[reg, range] : recorded_) range = real_range(reg);
        for (MachineInstr *site : sites) take_off(*site);
        return !recorded_.empty();
    }

  private:
    bool may_be_taken(const MachineOperand &value) const {
        return value.isReg() && value.getReg().isVirtual() && !value.isUndef() && !value.isTied() &&
               !intervals_->getInterval(value.getReg()).hasSubRanges();
    }

    static bool is_recorded(const MachineInstr &site, const MachineOperand &operand) {
        return operand.isUse() && site.getOperandNo(&operand) > llvm::StatepointOpers(&site).getNumDeoptArgsIdx();
    }

    // Where the register would be live if no site recorded it.
    std::unique_ptr<llvm::LiveRange> real_range(Register reg) {
        const llvm::LiveInterval &whole = intervals_->getInterval(reg);
        auto range = std::make_unique<llvm::LiveRange>();
        for (const llvm::VNInfo *value : whole.valnos)
            if (!value->isUnused() && !value->isPHIDef())
                range->createDeadDef(value->def, intervals_->getVNInfoAllocator());
        llvm::SmallVector<llvm::SlotIndex, 16> uses;
        for (const MachineOperand &operand : registers_->reg_nodbg_operands(reg)) {
            const MachineInstr &user = *operand.getParent();
            if (!operand.readsReg() || (is_site(user) && is_recorded(user, operand))) continue;
            llvm::SlotIndex at = intervals_->getInstructionIndex(user).getRegSlot();
            if (const llvm::VNInfo *value = whole.Query(at).valueDefined()) at = value->def;
            uses.push_back(at);
        }
        intervals_->extendToIndices(*range, uses);
        return range;
    }

    // The allocator may have it made again after the call, and it is nowhere meanwhile.
    bool may_be_made_again(const llvm::VNInfo &value) const {
        const MachineInstr *def = value.isPHIDef() ? nullptr : intervals_->getInstructionFromIndex(value.def);
        return def != nullptr && instructions_->isTriviallyReMaterializable(*def);
    }

    bool lives_through(Register reg, llvm::SlotIndex call) const {
        const llvm::LiveQueryResult live = recorded_.find(reg)->second->Query(call);
        return live.valueIn() != nullptr && live.valueIn() == live.valueOut() &&
               !may_be_made_again(*intervals_->getInterval(reg).Query(call).valueIn());
    }

    void take_off(MachineInstr &site) {
        llvm::SmallPtrSet<const MachineOperand *, 16> taken;
        const llvm::SlotIndex here = intervals_->getInstructionIndex(site);
        for_each_recorded(site, [&](const MachineOperand &value) {
            if (may_be_taken(value) && lives_through(value.getReg(), here)) taken.insert(&value);
        });
        if (taken.empty()) return;
        rewrite(site, *intervals_, [&](const MachineOperand &operand, llvm::MachineInstrBuilder &copy) {
            if (!taken.contains(&operand)) return false;
            copy.add(placeholder(operand));
            return true;
        });
    }

    llvm::MachineRegisterInfo *registers_ = nullptr;
    llvm::LiveIntervals *intervals_ = nullptr;
    const llvm::TargetInstrInfo *instructions_ = nullptr;
    llvm::DenseMap<Register, std::unique_ptr<llvm::LiveRange>> recorded_; // its real range
};

class PutBack : public llvm::MachineFunctionPass {
  public:
    static inline char ID = 0;
    PutBack() : MachineFunctionPass(ID) {}

    void getAnalysisUsage(llvm::AnalysisUsage &usage) const override {
        usage.addRequired<llvm::LiveIntervalsWrapperPass>();
        usage.addRequired<llvm::VirtRegMap>();
        usage.setPreservesAll();
        MachineFunctionPass::getAnalysisUsage(usage);
    }

    bool runOnMachineFunction(llvm::MachineFunction &function) override {
        llvm::SmallVector<MachineInstr *, 32> sites;
        for (llvm::MachineBasicBlock &block : function)
            for (MachineInstr &instruction : block)
                if (is_site(instruction) && has_lost_value(instruction)) sites.push_back(&instruction);
        if (sites.empty()) return false;
        intervals_ = &getAnalysis<llvm::LiveIntervalsWrapperPass>().getLIS();
        map_ = &getAnalysis<llvm::VirtRegMap>();
        if (!find_pieces(function)) return false;
        for (MachineInstr *site : sites) put_back(*site);
        return true;
    }

  private:
    // False: not all registers are allocated yet. x86-64 allocates those of one kind before all others.
    bool find_pieces(const llvm::MachineFunction &function) {
        const llvm::MachineRegisterInfo &registers = function.getRegInfo();
        pieces_.clear();
        for (unsigned i = 0; i < registers.getNumVirtRegs(); i++) {
            const Register reg = Register::index2VirtReg(i);
            if (!intervals_->hasInterval(reg) || intervals_->getInterval(reg).empty() || registers.reg_nodbg_empty(reg))
                continue;
            if (!map_->hasPhys(reg)) return false;
            pieces_[map_->getOriginal(reg)].push_back(reg);
        }
        return true;
    }

    void put_back(MachineInstr &site) {
        const llvm::SlotIndex here = intervals_->getInstructionIndex(site);
        rewrite(site, *intervals_, [&](const MachineOperand &operand, llvm::MachineInstrBuilder &copy) {
            if (!operand.isTargetIndex()) return false;
            const Register value = Register::index2VirtReg(static_cast<unsigned>(operand.getIndex()));
            const auto part = static_cast<unsigned>(operand.getOffset());
            if (const Register reg = piece_at(value, here); reg.isValid()) {
                copy.addReg(reg, 0, part);
                return true;
            }
            return add_slot(copy, value, part);
        });
    }

    // The virtual register of which the allocator has made several, or that one of these that is live during the call.
    Register piece_at(Register reg, llvm::SlotIndex here) const {
        for (const Register piece : pieces_.lookup(reg)) {
            const llvm::LiveQueryResult live = intervals_->getInterval(piece).Query(here);
            if (live.valueIn() != nullptr && live.valueIn() == live.valueOut()) return piece;
        }
        return {};
    }

    // As LLVM does it with what it spills.
    bool add_slot(llvm::MachineInstrBuilder &copy, Register value, unsigned part) const {
        llvm::MachineFunction &function = *copy->getMF();
        const int slot = map_->getStackSlot(value);
        unsigned size = 0, offset = 0;
        if (slot == llvm::VirtRegMap::NO_STACK_SLOT ||
            !function.getSubtarget().getInstrInfo()->getStackSlotRange(function.getRegInfo().getRegClass(value), part,
                                                                       size, offset, function))
            return false;
        copy.addImm(StackMaps::IndirectMemRefOp).addImm(size).addFrameIndex(slot).addImm(offset);
        const llvm::MachineFrameInfo &frame = function.getFrameInfo();
        copy.addMemOperand(function.getMachineMemOperand(llvm::MachinePointerInfo::getFixedStack(function, slot),
                                                         llvm::MachineMemOperand::MOLoad, frame.getObjectSize(slot),
                                                         frame.getObjectAlign(slot)));
        return true;
    }

    llvm::LiveIntervals *intervals_ = nullptr;
    const llvm::VirtRegMap *map_ = nullptr;
    llvm::DenseMap<Register, llvm::SmallVector<Register, 2>> pieces_;
};

// Passes that are inserted behind one that runs twice are made from these.
const llvm::RegisterPass<TakeOff> kTakeOff("popcorn-take-off", "Recorded values are no uses");
const llvm::RegisterPass<PutBack> kPutBack("popcorn-put-back", "Recorded values are found again");

} // namespace

void record_without_use(llvm::TargetPassConfig &config) {
    config.insertPass(&llvm::MachineSchedulerID, &TakeOff::ID);
    config.insertPass(&llvm::RAGreedyID, &PutBack::ID);
}

bool has_lost_value(const MachineInstr &instruction) {
    bool lost = false;
    for_each_recorded(instruction, [&](const MachineOperand &value) { lost = lost || value.isTargetIndex(); });
    return lost;
}

} // namespace hrunc::link
