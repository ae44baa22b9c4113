#include "popcorn/passes/steps.h"

#include <llvm/Analysis/AssumptionCache.h>
#include <llvm/Analysis/LoopInfo.h>
#include <llvm/Analysis/ScalarEvolution.h>
#include <llvm/Analysis/TargetLibraryInfo.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/MDBuilder.h>
#include <llvm/Transforms/Utils/BasicBlockUtils.h>
#include <llvm/Transforms/Utils/LoopSimplify.h>

namespace hrunc::popcorn {
namespace {

constexpr std::uint64_t kShortWork = 1 << 16; // iterations that need no poll

struct Polls {
    llvm::Function *poll;
    llvm::Constant *flag;
    unsigned interval;
    unsigned count = 0;
};

Polls declare(llvm::Module &module, const CaptureOptions &options) {
    llvm::LLVMContext &context = module.getContext();
    auto *type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), false);
    auto *poll = llvm::cast<llvm::Function>(module.getOrInsertFunction(kPollFunction, type).getCallee());
    // All registers that a back end can have preserved are: the cold call does not disturb the loop around it.
    poll->setCallingConv(llvm::CallingConv::PreserveAll);
    poll->setDSOLocal(true);
    poll->addFnAttr(llvm::Attribute::Cold);
    poll->addFnAttr(llvm::Attribute::NoUnwind);
    auto *word = llvm::Type::getInt32Ty(context);
    auto *flag = llvm::cast<llvm::GlobalVariable>(module.getOrInsertGlobal(kNotifyFlag, word));
    flag->setDSOLocal(true);
    return {poll, flag, options.poll_interval};
}

llvm::MDNode *unlikely(llvm::LLVMContext &context) {
    return llvm::MDBuilder(context).createBranchWeights(1, 1 << 20);
}

// if (flag) poll(); before `before`.
void poll_before(llvm::Instruction *before, Polls &polls) {
    llvm::IRBuilder<> build(before);
    llvm::LoadInst *flag = build.CreateAlignedLoad(build.getInt32Ty(), polls.flag, llvm::Align(4));
    flag->setAtomic(llvm::AtomicOrdering::Monotonic);
    llvm::Value *set = build.CreateICmpNE(flag, build.getInt32(0));
    llvm::Instruction *cold =
        llvm::SplitBlockAndInsertIfThen(set, before->getIterator(), false, unlikely(before->getContext()));
    llvm::CallInst *call = llvm::CallInst::Create(polls.poll, "", cold->getIterator());
    call->setCallingConv(polls.poll->getCallingConv());
    call->setDebugLoc(before->getStableDebugLoc());
    if (!call->getDebugLoc() && before->getFunction()->getSubprogram() != nullptr)
        call->setDebugLoc(llvm::DILocation::get(before->getContext(), 0, 0, before->getFunction()->getSubprogram()));
    polls.count++;
}

bool has_calls(const llvm::Loop &loop) {
    for (const llvm::BasicBlock *block : loop.blocks())
        for (const llvm::Instruction &instruction : *block)
            if (llvm::isa<llvm::CallBase>(instruction) && !llvm::isa<llvm::IntrinsicInst>(instruction)) return true;
    return false;
}

// Polls every `interval` iterations by a counter.
void poll_by_counter(llvm::Loop &loop, Polls &polls) {
    llvm::BasicBlock *header = loop.getHeader(), *latch = loop.getLoopLatch();
    llvm::IRBuilder<> build(header, header->begin());
    llvm::PHINode *left = build.CreatePHI(build.getInt32Ty(), 2, "popcorn.left");
    build.SetInsertPoint(latch->getTerminator());
    llvm::Value *fewer = build.CreateSub(left, build.getInt32(1));
    llvm::Value *none = build.CreateICmpEQ(fewer, build.getInt32(0));
    llvm::BasicBlock *before = latch;
    llvm::Instruction *end = latch->getTerminator();
    llvm::Instruction *cold =
        llvm::SplitBlockAndInsertIfThen(none, end->getIterator(), false, unlikely(header->getContext()));
    llvm::BasicBlock *cold_block = cold->getParent(), *tail = end->getParent();
    llvm::PHINode *next = llvm::PHINode::Create(build.getInt32Ty(), 2, "popcorn.left", tail->begin());
    next->addIncoming(fewer, before);
    next->addIncoming(build.getInt32(polls.interval), cold_block);
    for (llvm::BasicBlock *from : llvm::predecessors(header))
        left->addIncoming(from == tail ? static_cast<llvm::Value *>(next) : build.getInt32(polls.interval), from);
    poll_before(cold, polls);
    // The poll has split the cold block: the edge into the tail comes from its end.
    next->setIncomingBlock(1, cold->getParent());
}

class LoopPolls {
  public:
    LoopPolls(llvm::Function &function, Polls &polls)
        : function_(function), polls_(polls),
          library_implementation_(llvm::Triple(function.getParent()->getTargetTriple())),
          library_(library_implementation_) {}

    void run() {
        // A round a kind: inserting changes the blocks of the analyses.
        analyse();
        if (loops_->empty()) return;
        for (llvm::Loop *loop : loops_->getTopLevelLoops())
            llvm::simplifyLoop(loop, tree_.get(), loops_.get(), nullptr, nullptr, nullptr, false);
        analyse();
        llvm::SmallVector<llvm::WeakTrackingVH, 16> latches;
        llvm::SmallVector<llvm::Loop *, 16> counted;
        for (llvm::Loop *loop : loops_->getLoopsInPreorder()) {
            if (is_short(*loop) || has_own_point(*loop)) continue;
            if (loop->isInnermost() && !has_calls(*loop) && loop->getLoopLatch() != nullptr)
                counted.push_back(loop);
            else
                for (llvm::BasicBlock *latch : latches_of(*loop)) latches.push_back(latch->getTerminator());
        }
        for (llvm::Loop *loop : counted) poll_by_counter(*loop, polls_);
        for (llvm::Value *latch : latches) poll_before(llvm::cast<llvm::Instruction>(latch), polls_);
    }

  private:
    void analyse() {
        evolution_.reset();
        tree_ = std::make_unique<llvm::DominatorTree>(function_);
        loops_ = std::make_unique<llvm::LoopInfo>(*tree_);
        assumptions_ = std::make_unique<llvm::AssumptionCache>(function_);
        evolution_ = std::make_unique<llvm::ScalarEvolution>(function_, library_, *assumptions_, *tree_, *loops_);
    }

    static llvm::SmallVector<llvm::BasicBlock *, 4> latches_of(const llvm::Loop &loop) {
        llvm::SmallVector<llvm::BasicBlock *, 4> latches;
        loop.getLoopLatches(latches);
        return latches;
    }

    // An upper bound of the iterations in the loop and those inside of it, 0: none is known.
    std::uint64_t most_iterations(const llvm::Loop &loop) {
        std::uint64_t own = evolution_->getSmallConstantMaxTripCount(&loop), inside = 1;
        for (const llvm::Loop *inner : loop) {
            std::uint64_t most = most_iterations(*inner);
            if (most == 0) return 0;
            inside += most;
        }
        return own > kShortWork || inside > kShortWork ? 0 : own * inside;
    }

    // Ends soon by itself.
    bool is_short(const llvm::Loop &loop) {
        std::uint64_t most = most_iterations(loop);
        return most != 0 && most <= kShortWork && !has_calls(loop);
    }

    // Each iteration makes a system call.
    bool has_own_point(const llvm::Loop &loop) {
        const llvm::BasicBlock *latch = loop.getLoopLatch();
        if (latch == nullptr) return false;
        for (const llvm::BasicBlock *block : loop.blocks()) {
            if (!tree_->dominates(block, latch)) continue;
            for (const llvm::Instruction &instruction : *block)
                if (const auto *call = llvm::dyn_cast<llvm::CallBase>(&instruction))
                    if (const llvm::Function *callee = call->getCalledFunction())
                        if (callee->getName() == kSyscallFunction) return true;
        }
        return false;
    }

    llvm::Function &function_;
    Polls &polls_;
    llvm::TargetLibraryInfoImpl library_implementation_;
    llvm::TargetLibraryInfo library_;
    std::unique_ptr<llvm::DominatorTree> tree_;
    std::unique_ptr<llvm::LoopInfo> loops_;
    std::unique_ptr<llvm::AssumptionCache> assumptions_;
    std::unique_ptr<llvm::ScalarEvolution> evolution_;
};

bool gets_polls(const llvm::Function &function) {
    return !function.isDeclaration() && !function.hasFnAttribute(kNoPollAttribute) &&
           !function.hasFnAttribute(llvm::Attribute::Naked);
}

} // namespace

unsigned insert_polls(llvm::Module &module, const CaptureOptions &options) {
    if (!options.loop_polls) return 0;
    std::vector<llvm::Function *> heads = CallGraph(module).cycle_heads();
    Polls polls = declare(module, options);
    for (llvm::Function &function : module)
        if (gets_polls(function)) LoopPolls(function, polls).run();
    for (llvm::Function *function : heads) {
        if (!gets_polls(*function)) continue;
        llvm::BasicBlock &entry = function->getEntryBlock();
        auto at = entry.begin();
        while (is_static_alloca(&*at) || llvm::isa<llvm::DbgInfoIntrinsic>(&*at)) at++;
        poll_before(&*at, polls);
    }
    return polls.count;
}

} // namespace hrunc::popcorn
