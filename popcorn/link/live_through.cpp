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

// What stands in a site in place of a value, as a constant: its virtual register, and the part of it.
struct Placeholder {
    Register reg;
    unsigned part; // a sub-register's index, 0: all

    static constexpr unsigned kTagShift = 48, kPartShift = 32;
    static constexpr std::uint64_t kTag = 0xa5c3, kMostParts = 1U << (kTagShift - kPartShift);

    std::int64_t encode() const {
        return static_cast<std::int64_t>(kTag << kTagShift | std::uint64_t{part} << kPartShift |
                                         Register::virtReg2Index(reg));
    }
    static bool is(std::int64_t constant) { return static_cast<std::uint64_t>(constant) >> kTagShift == kTag; }
    static Placeholder decode(std::int64_t constant) {
        auto bits = static_cast<std::uint64_t>(constant);
        return {Register::index2VirtReg(static_cast<unsigned>(bits)),
                static_cast<unsigned>(bits >> kPartShift) % static_cast<unsigned>(kMostParts)};
    }
};

// Calls `visit` with the index of the first operand of each recorded value.
void for_each_recorded(const MachineInstr &site, const std::function<void(unsigned)> &visit) {
    const llvm::StatepointOpers operands(&site);
    unsigned at = operands.getNumDeoptArgsIdx() + 1;
    for (std::uint64_t i = 0; i < operands.getNumDeoptArgs(); i++, at = StackMaps::getNextMetaArgIdx(&site, at))
        visit(at);
}

bool is_placeholder(const MachineInstr &site, unsigned at) {
    const MachineOperand &kind = site.getOperand(at);
    return kind.isImm() && kind.getImm() == StackMaps::ConstantOp && site.getOperand(at + 1).isImm() &&
           Placeholder::is(site.getOperand(at + 1).getImm());
}

bool is_site(const MachineInstr &instruction) {
    return instruction.getOpcode() == llvm::TargetOpcode::STATEPOINT;
}

// A site whose recorded values are others. `replace` adds operands in place of those that begin at the index, and
// returns how many these are; 0: they stay.
void rewrite(MachineInstr &site, llvm::LiveIntervals &intervals,
             const std::function<unsigned(unsigned, llvm::MachineInstrBuilder &)> &replace) {
    llvm::MachineFunction &function = *site.getMF();
    llvm::MachineInstrBuilder copy(
        function, function.CreateMachineInstr(site.getDesc(), site.getDebugLoc(), /*NoImplicit=*/true));
    site.getParent()->insert(site.getIterator(), copy);
    copy->setFlags(site.getFlags());
    copy.cloneMemRefs(site);
    for (unsigned at = 0; at < site.getNumOperands();)
        if (const unsigned replaced = replace(at, copy); replaced != 0)
            at += replaced;
        else
            copy.add(site.getOperand(at++));
    intervals.ReplaceMachineInstrInMaps(site, *copy);
    if (site.shouldUpdateCallSiteInfo()) function.moveCallSiteInfo(&site, copy);
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
        if (sites.empty() || !llvm::all_of(sites, [&](const MachineInstr *site) { return collect(*site); }))
            return false;
        for (auto &[reg, range] : recorded_) range = real_range(reg);
        for (MachineInstr *site : sites) take_off(*site);
        return true;
    }

  private:
    // False: a constant of the program looks like one of ours.
    bool collect(const MachineInstr &site) {
        bool fine = true;
        for_each_recorded(site, [&](unsigned at) {
            const MachineOperand &operand = site.getOperand(at);
            if (operand.isReg() && operand.getReg().isVirtual()) recorded_[operand.getReg()];
            if (is_placeholder(site, at)) fine = false;
        });
        return fine;
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
        llvm::SmallDenseSet<unsigned> taken;
        const llvm::SlotIndex here = intervals_->getInstructionIndex(site);
        for_each_recorded(site, [&](unsigned at) {
            const MachineOperand &operand = site.getOperand(at);
            if (!operand.isReg() || !operand.getReg().isVirtual() || operand.isUndef() || operand.isTied() ||
                operand.getSubReg() >= Placeholder::kMostParts)
                return;
            if (lives_through(operand.getReg(), here)) taken.insert(at);
        });
        if (taken.empty()) return;
        rewrite(site, *intervals_, [&](unsigned at, llvm::MachineInstrBuilder &copy) {
            if (!taken.contains(at)) return 0U;
            const MachineOperand &operand = site.getOperand(at);
            copy.addImm(StackMaps::ConstantOp).addImm(Placeholder{operand.getReg(), operand.getSubReg()}.encode());
            return 1U;
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
        if (!find_parts(function)) return false;
        for (MachineInstr *site : sites) put_back(*site);
        return true;
    }

  private:
    // False: not all registers are allocated yet. x86-64 allocates those of one kind before all others.
    bool find_parts(const llvm::MachineFunction &function) {
        const llvm::MachineRegisterInfo &registers = function.getRegInfo();
        parts_.clear();
        for (unsigned i = 0; i < registers.getNumVirtRegs(); i++) {
            const Register reg = Register::index2VirtReg(i);
            if (!intervals_->hasInterval(reg) || intervals_->getInterval(reg).empty() || registers.reg_nodbg_empty(reg))
                continue;
            if (!map_->hasPhys(reg)) return false;
            parts_[map_->getOriginal(reg)].push_back(reg);
        }
        return true;
    }

    void put_back(MachineInstr &site) {
        const llvm::SlotIndex here = intervals_->getInstructionIndex(site);
        rewrite(site, *intervals_, [&](unsigned at, llvm::MachineInstrBuilder &copy) {
            // No other operands look like it: sites without one are not rewritten.
            if (at + 1 >= site.getNumOperands() || !is_placeholder(site, at)) return 0U;
            const Placeholder value = Placeholder::decode(site.getOperand(at + 1).getImm());
            if (const Register reg = part_at(value.reg, here); reg.isValid())
                copy.addReg(reg, 0, value.part);
            else if (!add_slot(copy, value))
                return 0U;
            return 2U;
        });
    }

    // The virtual register of which the allocator has made several, or that one of these that is live during the call.
    Register part_at(Register reg, llvm::SlotIndex here) const {
        for (const Register part : parts_.lookup(reg)) {
            const llvm::LiveQueryResult live = intervals_->getInterval(part).Query(here);
            if (live.valueIn() != nullptr && live.valueIn() == live.valueOut()) return part;
        }
        return {};
    }

    // As LLVM does it with what it spills.
    bool add_slot(llvm::MachineInstrBuilder &copy, const Placeholder &value) const {
        llvm::MachineFunction &function = *copy->getMF();
        const int slot = map_->getStackSlot(value.reg);
        unsigned size = 0, offset = 0;
        if (slot == llvm::VirtRegMap::NO_STACK_SLOT ||
            !function.getSubtarget().getInstrInfo()->getStackSlotRange(function.getRegInfo().getRegClass(value.reg),
                                                                       value.part, size, offset, function))
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
    llvm::DenseMap<Register, llvm::SmallVector<Register, 2>> parts_;
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
    for_each_recorded(instruction, [&](unsigned at) { lost = lost || is_placeholder(instruction, at); });
    return lost;
}

} // namespace hrunc::link
