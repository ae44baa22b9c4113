#include "popcorn/passes/steps.h"

#include <llvm/Analysis/AssumptionCache.h>
#include <llvm/Analysis/LoopInfo.h>
#include <llvm/Analysis/OptimizationRemarkEmitter.h>
#include <llvm/Analysis/ScalarEvolution.h>
#include <llvm/Analysis/TargetLibraryInfo.h>
#include <llvm/Analysis/TargetTransformInfo.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InlineAsm.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/MDBuilder.h>
#include <llvm/Transforms/Utils/BasicBlockUtils.h>
#include <llvm/Transforms/Utils/LoopSimplify.h>
#include <llvm/Transforms/Utils/LoopUtils.h>
#include <llvm/Transforms/Utils/ScalarEvolutionExpander.h>
#include <llvm/Transforms/Utils/UnrollLoop.h>

#include <algorithm>
#include <optional>

namespace hrunc::popcorn {
namespace {

// Instructions between two polls, without those in calls: in an innermost loop; how many times as many in one around
// it; and at most. As many can a loop have that ends soon by itself.
constexpr std::uint64_t kStripWork = 1 << 13, kOuterWork = 16, kMostWork = 1 << 20;
constexpr std::size_t kTinyLoop = 15; // instructions
constexpr unsigned kUnrolled = 4;     // iterations of such a loop
constexpr std::size_t kRareCalls = 1; // of a loop, which poll instead of it

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
void poll_before(llvm::Instruction *before, Polls &polls, bool fresh = true) {
    llvm::IRBuilder<> build(before);
    llvm::LoadInst *flag = build.CreateAlignedLoad(build.getInt32Ty(), polls.flag, llvm::Align(4));
    // Where no call stands between two loads the code generators must not make one of them.
    if (fresh) flag->setAtomic(llvm::AtomicOrdering::Monotonic);
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

bool is_real_call(const llvm::Instruction &instruction) {
    return llvm::isa<llvm::CallBase>(instruction) && !llvm::isa<llvm::IntrinsicInst>(instruction) &&
           !llvm::cast<llvm::CallBase>(instruction).isInlineAsm();
}

// The value, for the code generators one that nothing is known of.
llvm::Value *opaque(llvm::IRBuilder<> &build, llvm::Value *value) {
    auto *type = llvm::FunctionType::get(value->getType(), {value->getType()}, false);
    return build.CreateCall(llvm::InlineAsm::get(type, "", "=r,0", false), {value});
}

// A loop that goes on as long as a number that grows or shrinks by constant steps has not reached an end.
struct Counted {
    llvm::ICmpInst::Predicate goes_on; // number, end
    llvm::Value *number = nullptr, *end = nullptr;
    llvm::Value *first = nullptr; // value of number when it is first compared
    std::int64_t step = 0;
};

// An end that is `interval` iterations from a number that has not reached the loop's own.
class NearerEnd {
  public:
    NearerEnd(const Counted &counted, unsigned interval)
        : counted_(counted), far_(static_cast<std::uint64_t>(std::abs(counted.step)) * interval) {}

    struct Choice {
        llvm::Value *is_nearer, *end;
    };
    Choice from(llvm::IRBuilder<> &build, llvm::Value *here) {
        llvm::Type *type = counted_.end->getType();
        if (!type->isPointerTy()) return from(build, here, counted_.end);
        llvm::Type *word = build.getInt64Ty();
        Choice choice = from(build, build.CreatePtrToInt(here, word), build.CreatePtrToInt(counted_.end, word));
        return {choice.is_nearer, build.CreateIntToPtr(choice.end, type)};
    }

  private:
    Choice from(llvm::IRBuilder<> &build, llvm::Value *here, llvm::Value *end) {
        llvm::Value *far = llvm::ConstantInt::get(end->getType(), far_);
        bool up = counted_.step > 0;
        if (counted_.goes_on == llvm::ICmpInst::ICMP_NE) {
            // It is met exactly: the distance is a multiple of the step. Addresses, and numbers that start small, do
            // not overflow on the way.
            llvm::Value *near = up ? build.CreateAdd(here, far) : build.CreateSub(here, far);
            const auto *known = llvm::dyn_cast<llvm::ConstantInt>(here);
            if (up && (counted_.end->getType()->isPointerTy() || (known != nullptr && known->getValue().ult(far_))))
                return {build.CreateICmpUGT(end, near), near};
            llvm::Value *distance = up ? build.CreateSub(end, here) : build.CreateSub(here, end);
            return {build.CreateICmpUGT(distance, far), near};
        }
        bool with_sign = llvm::ICmpInst::isSigned(counted_.goes_on);
        auto move = up ? (with_sign ? llvm::Intrinsic::sadd_sat : llvm::Intrinsic::uadd_sat)
                       : (with_sign ? llvm::Intrinsic::ssub_sat : llvm::Intrinsic::usub_sat);
        llvm::Value *near = build.CreateBinaryIntrinsic(move, here, far);
        auto before = up ? llvm::ICmpInst::ICMP_ULT : llvm::ICmpInst::ICMP_UGT;
        return {build.CreateICmp(with_sign ? llvm::ICmpInst::getSignedPredicate(before) : before, near, end), near};
    }

    const Counted &counted_;
    std::uint64_t far_;
};

// A loop becomes one of two levels: after so many iterations it is left to a point of the outer one, which polls and
// goes back in. The inner loop is what it was, for the code generators too.
class Strips {
  public:
    // The loop is simplified and has one latch.
    Strips(llvm::Loop &loop, unsigned interval, Polls &polls)
        : polls_(polls), interval_(interval), preheader_(loop.getLoopPreheader()), header_(loop.getHeader()),
          latch_(loop.getLoopLatch()) {}

    // Leaves the loop by a counter.
    void count() {
        llvm::BasicBlock *back = latch_;
        // Where the loop is sure to go on the condition of its exit is no longer needed.
        if (latch_->getSingleSuccessor() == nullptr) back = llvm::SplitEdge(latch_, header_);
        split();
        llvm::IRBuilder<> build(header_, header_->begin());
        llvm::PHINode *left = build.CreatePHI(build.getInt32Ty(), 2, "popcorn.left");
        back->getTerminator()->eraseFromParent();
        build.SetInsertPoint(back);
        llvm::Value *fewer = build.CreateSub(left, build.getInt32(1));
        build.CreateCondBr(build.CreateICmpEQ(fewer, build.getInt32(0)), point_, header_, unlikely(context()));
        left->addIncoming(build.getInt32(interval_), outer_);
        left->addIncoming(fewer, back);
        close(back, left);
    }

    // Leaves the loop by an end that is nearer than its own.
    void shorten(const Counted &counted) {
        auto *branch = llvm::cast<llvm::BranchInst>(latch_->getTerminator());
        llvm::BasicBlock *exit = branch->getSuccessor(branch->getSuccessor(0) == header_ ? 1 : 0);
        split();
        llvm::IRBuilder<> build(preheader_->getTerminator());
        NearerEnd nearer(counted, interval_);
        NearerEnd::Choice first = nearer.from(build, counted.first);
        // By a branch, which costs a loop that ends soon less than a selection does. Another exit may come before its
        // own end is looked at.
        auto *far = llvm::BasicBlock::Create(context(), "popcorn.far", latch_->getParent(), point_);
        build.CreateCondBr(build.CreateFreeze(first.is_nearer), far, outer_, unlikely(context()));
        preheader_->getTerminator()->eraseFromParent();
        llvm::BranchInst::Create(outer_, far);
        build.SetInsertPoint(outer_, outer_->begin());
        llvm::PHINode *end = build.CreatePHI(counted.end->getType(), 3, "popcorn.end");
        auto *check = llvm::BasicBlock::Create(context(), "popcorn.check", latch_->getParent(), point_);
        branch->eraseFromParent();
        build.SetInsertPoint(latch_);
        build.CreateCondBr(build.CreateICmp(counted.goes_on, counted.number, end), header_, check);
        build.SetInsertPoint(check);
        // Not to be mistaken for one more number that the inner loop has to count.
        llvm::Value *number = opaque(build, counted.number);
        build.CreateCondBr(build.CreateICmp(counted.goes_on, number, counted.end), point_, exit, unlikely(context()));
        exit->replacePhiUsesWith(latch_, check);
        build.SetInsertPoint(point_);
        end->addIncoming(counted.end, preheader_);
        end->addIncoming(first.end, far);
        NearerEnd::Choice next = nearer.from(build, number);
        end->addIncoming(build.CreateSelect(next.is_nearer, next.end, counted.end), point_);
        close(latch_, nullptr, far);
    }

  private:
    llvm::LLVMContext &context() { return header_->getContext(); }

    void split() {
        outer_ = llvm::SplitEdge(preheader_, header_);
        point_ = llvm::BasicBlock::Create(context(), "popcorn.point", header_->getParent(), latch_->getNextNode());
    }

    // What the header takes from `back` it takes from the point by way of the outer header.
    void close(llvm::BasicBlock *back, const llvm::PHINode *counter = nullptr, llvm::BasicBlock *far = nullptr) {
        llvm::BranchInst::Create(outer_, point_);
        for (llvm::PHINode &phi : header_->phis()) {
            if (&phi == counter) continue;
            auto *outer = llvm::PHINode::Create(phi.getType(), 3, "", outer_->begin());
            outer->addIncoming(phi.getIncomingValueForBlock(outer_), preheader_);
            if (far != nullptr) outer->addIncoming(phi.getIncomingValueForBlock(outer_), far);
            outer->addIncoming(phi.getIncomingValueForBlock(back), point_);
            phi.setIncomingValueForBlock(outer_, outer);
        }
        poll_before(&point_->front(), polls_);
    }

    Polls &polls_;
    unsigned interval_;
    llvm::BasicBlock *preheader_, *header_, *latch_;
    llvm::BasicBlock *outer_ = nullptr, *point_ = nullptr;
};

class LoopPolls {
  public:
    // `heads` poll when they are called.
    LoopPolls(llvm::Function &function, const llvm::DenseSet<const llvm::Function *> &heads, Polls &polls)
        : function_(function), heads_(heads), polls_(polls),
          library_implementation_(llvm::Triple(function.getParent()->getTargetTriple())),
          library_(library_implementation_) {}

    void run() {
        // A round a kind: inserting changes the blocks of the analyses.
        analyse();
        if (loops_->empty()) return;
        for (llvm::Loop *loop : loops_->getTopLevelLoops())
            llvm::simplifyLoop(loop, tree_.get(), loops_.get(), nullptr, nullptr, nullptr, false);
        analyse();
        if (unroll_tiny()) analyse();
        std::vector<Plan> plans;
        std::vector<std::pair<llvm::BasicBlock *, llvm::BasicBlock *>> latches;
        std::vector<llvm::Instruction *> calls;
        for (llvm::Loop *loop : loops_->getLoopsInPreorder()) {
            const Work &work = work_of(*loop);
            for (llvm::Instruction *call : work.polled_calls) calls.push_back(call);
            if (work.interval > 1)
                plans.push_back({Strips(*loop, work.interval, polls_), count(*loop)});
            else if (work.interval == 1)
                for (llvm::BasicBlock *latch : latches_of(*loop)) latches.emplace_back(latch, loop->getHeader());
        }
        for (Plan &plan : plans) {
            if (plan.counted)
                plan.strips.shorten(*plan.counted);
            else
                plan.strips.count();
        }
        for (auto [latch, header] : latches) poll_on_edge(latch, header);
        for (llvm::Instruction *call : calls) poll_before(call->getNextNode(), polls_);
    }

  private:
    // What a loop does between two polls.
    struct Work {
        std::uint64_t instructions = 0; // at most
        unsigned interval = 0;          // iterations between two polls of its own, 0: it has none
        bool stripped = false;          // it or one inside of it has
        llvm::SmallVector<llvm::Instruction *, 2> polled_calls; // which poll themselves, where few iterations come
    };

    struct Plan {
        Strips strips;
        std::optional<Counted> counted;
    };

    void analyse() {
        evolution_.reset();
        tree_ = std::make_unique<llvm::DominatorTree>(function_);
        loops_ = std::make_unique<llvm::LoopInfo>(*tree_);
        assumptions_ = std::make_unique<llvm::AssumptionCache>(function_);
        evolution_ = std::make_unique<llvm::ScalarEvolution>(function_, library_, *assumptions_, *tree_, *loops_);
        works_.clear();
    }

    // To count its iterations would be much of the work of a tiny loop without a number of its own, one that follows a
    // string for instance: such a loop is counted every few iterations.
    bool unroll_tiny() {
        llvm::SmallVector<llvm::Loop *, 8> tiny;
        for (llvm::Loop *loop : loops_->getLoopsInPreorder()) {
            const Work &work = work_of(*loop);
            if (!loop->isInnermost() || work.interval <= 1 || !work.polled_calls.empty()) continue;
            std::size_t size = 0;
            for (const llvm::BasicBlock *block : loop->blocks()) size += block->size();
            if (size <= kTinyLoop && !count(*loop)) tiny.push_back(loop);
        }
        llvm::OptimizationRemarkEmitter remarks(&function_);
        llvm::TargetTransformInfo target(function_.getDataLayout());
        bool changed = false;
        for (llvm::Loop *loop : tiny) {
            llvm::formLCSSARecursively(*loop, *tree_, loops_.get(), evolution_.get());
            llvm::UnrollLoopOptions options{};
            options.Count = kUnrolled;
            options.Force = true;
            options.ForgetAllSCEV = true;
            changed |=
                llvm::UnrollLoop(loop, options, loops_.get(), evolution_.get(), tree_.get(), assumptions_.get(),
                                 &target, &remarks, /*PreserveLCSSA=*/true) != llvm::LoopUnrollResult::Unmodified;
        }
        return changed;
    }

    // Where the loop is sure to go on the condition of its exit is no longer needed.
    void poll_on_edge(llvm::BasicBlock *latch, llvm::BasicBlock *header) {
        if (latch->getSingleSuccessor() == nullptr) latch = llvm::SplitEdge(latch, header);
        poll_before(latch->getTerminator(), polls_);
    }

    const Work &work_of(const llvm::Loop &loop) {
        auto [found, fresh] = works_.try_emplace(&loop);
        if (fresh) {
            auto work = std::make_unique<Work>(measure(loop));
            works_[&loop] = std::move(work);
        }
        return *works_[&loop];
    }

    Work measure(const llvm::Loop &loop) {
        Work work;
        std::uint64_t once = 0; // instructions of an iteration
        for (const llvm::BasicBlock *block : loop.blocks())
            if (loops_->getLoopFor(block) == &loop) once += block->size();
        for (const llvm::Loop *inner : loop) {
            const Work &inside = work_of(*inner);
            once += inside.instructions;
            work.stripped |= inside.stripped;
        }
        work.instructions = once;
        if (has_own_point(loop)) return work;
        if (!find_polled_calls(loop, work.polled_calls)) {
            work.interval = 1;
            return work;
        }
        std::uint64_t iterations = most_iterations(loop);
        if (iterations == 0 || iterations > kMostWork / once) {
            std::uint64_t most = work.stripped ? std::min(kOuterWork * once, kMostWork) : kStripWork;
            iterations = std::clamp<std::uint64_t>(most / once, 1, polls_.interval);
            if (loop.getLoopLatch() == nullptr || loop.getLoopPreheader() == nullptr) iterations = 1;
            work.interval = static_cast<unsigned>(iterations);
            work.stripped = true;
        }
        work.instructions = once * iterations;
        return work;
    }

    // 0: unknown, or too many to count. From what the loop itself says, or what is known where it begins.
    std::uint64_t most_iterations(const llvm::Loop &loop) const {
        constexpr unsigned kCounted = 32; // bits
        if (unsigned most = evolution_->getSmallConstantMaxTripCount(&loop)) return most;
        const llvm::BasicBlock *latch = loop.getLoopLatch();
        if (latch == nullptr) return 0;
        const llvm::SCEV *backs = evolution_->getExitCount(&loop, latch);
        if (llvm::isa<llvm::SCEVCouldNotCompute>(backs)) return 0;
        llvm::APInt most = evolution_->getUnsignedRangeMax(evolution_->applyLoopGuards(backs, &loop));
        return most.getActiveBits() <= kCounted ? most.getZExtValue() + 1 : 0;
    }

    // Nothing is known of the time that a call takes, and it may hold such loops, too. So either there is none, or the
    // loop polls in each iteration (false), or where most iterations call nothing, after each of its few calls.
    bool find_polled_calls(const llvm::Loop &loop, llvm::SmallVectorImpl<llvm::Instruction *> &calls) const {
        const llvm::BasicBlock *latch = loop.getLoopLatch();
        for (llvm::BasicBlock *block : loop.blocks())
            for (llvm::Instruction &instruction : *block) {
                if (!is_real_call(instruction)) continue;
                if (!loop.isInnermost() || latch == nullptr || tree_->dominates(block, latch) ||
                    calls.size() == kRareCalls || instruction.isTerminator()) {
                    calls.clear();
                    return false;
                }
                calls.push_back(&instruction);
            }
        return true;
    }

    std::optional<Counted> count(llvm::Loop &loop) {
        llvm::BasicBlock *latch = loop.getLoopLatch(), *preheader = loop.getLoopPreheader();
        auto *branch = llvm::dyn_cast<llvm::BranchInst>(latch->getTerminator());
        if (preheader == nullptr || branch == nullptr || !branch->isConditional()) return std::nullopt;
        auto *compare = llvm::dyn_cast<llvm::ICmpInst>(branch->getCondition());
        if (compare == nullptr || llvm::isa<llvm::SCEVCouldNotCompute>(evolution_->getExitCount(&loop, latch)))
            return std::nullopt;
        Counted counted{compare->getPredicate(), compare->getOperand(0), compare->getOperand(1)};
        if (loop.isLoopInvariant(counted.number)) {
            std::swap(counted.number, counted.end);
            counted.goes_on = llvm::ICmpInst::getSwappedPredicate(counted.goes_on);
        }
        if (branch->getSuccessor(0) != loop.getHeader())
            counted.goes_on = llvm::ICmpInst::getInversePredicate(counted.goes_on);
        llvm::Type *type = counted.number->getType();
        if (!loop.isLoopInvariant(counted.end)) return std::nullopt;
        if (!type->isIntegerTy(32) && !type->isIntegerTy(64) && !type->isPointerTy()) return std::nullopt;
        const auto *number = llvm::dyn_cast<llvm::SCEVAddRecExpr>(evolution_->getSCEV(counted.number));
        if (number == nullptr || number->getLoop() != &loop || !number->isAffine()) return std::nullopt;
        const auto *step = llvm::dyn_cast<llvm::SCEVConstant>(number->getStepRecurrence(*evolution_));
        if (step == nullptr || !step->getAPInt().isSignedIntN(16) || step->isZero()) return std::nullopt;
        counted.step = step->getAPInt().getSExtValue();
        if (counted.goes_on == llvm::ICmpInst::ICMP_NE) {
            if (std::abs(counted.step) != 1 && !number->hasNoSelfWrap()) return std::nullopt;
        } else if (!llvm::ICmpInst::isRelational(counted.goes_on) ||
                   (llvm::ICmpInst::isLT(counted.goes_on) || llvm::ICmpInst::isLE(counted.goes_on)) !=
                       (counted.step > 0)) {
            return std::nullopt;
        }
        llvm::SCEVExpander expander(*evolution_, function_.getDataLayout(), "popcorn", false);
        if (!expander.isSafeToExpandAt(number->getStart(), preheader->getTerminator())) return std::nullopt;
        counted.first = expander.expandCodeFor(number->getStart(), type, preheader->getTerminator());
        return counted;
    }

    static llvm::SmallVector<llvm::BasicBlock *, 4> latches_of(const llvm::Loop &loop) {
        llvm::SmallVector<llvm::BasicBlock *, 4> latches;
        loop.getLoopLatches(latches);
        return latches;
    }

    // Each iteration makes a system call, or calls a function that polls.
    bool has_own_point(const llvm::Loop &loop) {
        const llvm::BasicBlock *latch = loop.getLoopLatch();
        if (latch == nullptr) return false;
        for (const llvm::BasicBlock *block : loop.blocks()) {
            if (!tree_->dominates(block, latch)) continue;
            for (const llvm::Instruction &instruction : *block)
                if (const auto *call = llvm::dyn_cast<llvm::CallBase>(&instruction))
                    if (const llvm::Function *callee = call->getCalledFunction())
                        if (callee->getName() == kSyscallFunction || heads_.contains(callee)) return true;
        }
        return false;
    }

    llvm::Function &function_;
    const llvm::DenseSet<const llvm::Function *> &heads_;
    Polls &polls_;
    llvm::TargetLibraryInfoImpl library_implementation_;
    llvm::TargetLibraryInfo library_;
    std::unique_ptr<llvm::DominatorTree> tree_;
    std::unique_ptr<llvm::LoopInfo> loops_;
    std::unique_ptr<llvm::AssumptionCache> assumptions_;
    std::unique_ptr<llvm::ScalarEvolution> evolution_;
    llvm::DenseMap<const llvm::Loop *, std::unique_ptr<Work>> works_;
};

// Where each way from the function's entry to a call that may come back to it passes, outside of loops and as late as
// possible.
llvm::Instruction *on_the_way_to_cycles(llvm::Function &function, const CallGraph &graph) {
    llvm::DominatorTree tree(function);
    llvm::BasicBlock *at = nullptr;
    auto comes_back = [&](const llvm::Instruction &instruction) {
        const auto *call = llvm::dyn_cast<llvm::CallBase>(&instruction);
        return call != nullptr && graph.may_come_back(*call);
    };
    for (llvm::BasicBlock &block : function)
        if (tree.isReachableFromEntry(&block) && std::any_of(block.begin(), block.end(), comes_back))
            at = at == nullptr ? &block : tree.findNearestCommonDominator(at, &block);
    llvm::LoopInfo loops(tree);
    while (at != nullptr && loops.getLoopFor(at) != nullptr) at = tree.getNode(at)->getIDom()->getBlock();
    if (at == nullptr) at = &function.getEntryBlock();
    auto first = at->getFirstNonPHIOrDbg()->getIterator();
    while (is_static_alloca(&*first) || llvm::isa<llvm::DbgInfoIntrinsic>(&*first)) first++;
    return &*first;
}

bool gets_polls(const llvm::Function &function) {
    return !function.isDeclaration() && !function.hasFnAttribute(kNoPollAttribute) &&
           !function.hasFnAttribute(llvm::Attribute::Naked);
}

} // namespace

unsigned insert_polls(llvm::Module &module, const CaptureOptions &options) {
    if (!options.loop_polls) return 0;
    llvm::DenseSet<const llvm::Function *> heads;
    const CallGraph graph(module);
    for (const llvm::Function *function : graph.cycle_heads())
        if (gets_polls(*function)) heads.insert(function);
    Polls polls = declare(module, options);
    for (llvm::Function &function : module) {
        if (!gets_polls(function)) continue;
        LoopPolls(function, heads, polls).run();
        if (heads.contains(&function)) poll_before(on_the_way_to_cycles(function, graph), polls, /*fresh=*/false);
    }
    return polls.count;
}

} // namespace hrunc::popcorn
