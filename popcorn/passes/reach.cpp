#include "popcorn/passes/steps.h"

#include <llvm/ADT/SetVector.h>
#include <llvm/IR/InstIterator.h>

#include <algorithm>

namespace hrunc::popcorn {
namespace {

const llvm::Function *direct_callee(const llvm::CallBase &call) {
    return llvm::dyn_cast<llvm::Function>(call.getCalledOperand()->stripPointerCastsAndAliases());
}

// C programs call functions with more or fewer arguments than they take (main), and drop results.
bool may_be_called_as(const llvm::Function &function, const llvm::FunctionType &type) {
    const llvm::FunctionType *own = function.getFunctionType();
    unsigned common = std::min(own->getNumParams(), type.getNumParams());
    for (unsigned i = 0; i < common; i++)
        if (own->getParamType(i) != type.getParamType(i)) return false;
    return true;
}

} // namespace

CallGraph::CallGraph(llvm::Module &module) {
    collect(module);
    find_reaching(module);
    find_cycle_heads(module);
}

void CallGraph::collect(llvm::Module &module) {
    llvm::SetVector<const llvm::FunctionType *> types;
    for (llvm::Function &function : module) {
        if (function.hasAddressTaken()) pointed_at_.push_back(&function);
        for (const llvm::Instruction &instruction : llvm::instructions(function)) {
            const auto *call = llvm::dyn_cast<llvm::CallBase>(&instruction);
            if (call == nullptr || call->isInlineAsm()) continue;
            const llvm::Function *callee = direct_callee(*call);
            if (callee != nullptr && callee->isIntrinsic()) continue;
            Node node = callee != nullptr ? static_cast<Node>(callee) : call->getFunctionType();
            callees_[&function].push_back(node);
            if (callee == nullptr) types.insert(call->getFunctionType());
        }
    }
    for (const llvm::FunctionType *type : types)
        for (llvm::Function *function : pointed_at_)
            if (may_be_called_as(*function, *type)) callees_[type].push_back(function);
    for (auto &[caller, callees] : callees_)
        for (Node callee : callees) callers_[callee].push_back(caller);
}

bool CallGraph::may_capture(const llvm::CallBase &call) const {
    if (call.isInlineAsm()) return false;
    const llvm::Function *callee = direct_callee(call);
    if (callee != nullptr) return reaching_.contains(callee);
    return reaching_.contains(call.getFunctionType());
}

void CallGraph::find_reaching(llvm::Module &module) {
    std::vector<Node> work;
    // longjmp captures nothing, but walks the frames.
    for (const char *name : {kPollFunction, kSyscallFunction, kJumpFunction, "_longjmp"})
        if (llvm::Function *function = module.getFunction(name)) work.push_back(function);
    reaching_.insert(work.begin(), work.end());
    while (!work.empty()) {
        Node callee = work.back();
        work.pop_back();
        auto found = callers_.find(callee);
        if (found == callers_.end()) continue;
        for (Node caller : found->second)
            if (reaching_.insert(caller).second) work.push_back(caller);
    }
}

// Depth first; the edges that go back to a node under way are those that each cycle has one of.
void CallGraph::find_cycle_heads(llvm::Module &module) {
    enum class State { kNew, kUnderWay, kDone };
    llvm::DenseMap<Node, State> states;
    llvm::DenseSet<Node> functions, heads;
    struct Step {
        Node node;
        unsigned next;
    };
    for (llvm::Function &function : module) functions.insert(&function);
    for (llvm::Function &root : module) {
        if (root.isDeclaration() || states.lookup(&root) != State::kNew) continue;
        std::vector<Step> path{{&root, 0}};
        states[&root] = State::kUnderWay;
        while (!path.empty()) {
            auto found = callees_.find(path.back().node);
            if (found == callees_.end() || path.back().next == found->second.size()) {
                states[path.back().node] = State::kDone;
                path.pop_back();
                continue;
            }
            Node callee = found->second[path.back().next++];
            State state = states.lookup(callee);
            // The address of a function whose type is `callee` is taken: the caller stands for all of them.
            if (state == State::kUnderWay) heads.insert(functions.contains(callee) ? callee : path.back().node);
            if (state != State::kNew) continue;
            states[callee] = State::kUnderWay;
            path.push_back({callee, 0});
        }
    }
    for (llvm::Function &function : module)
        if (heads.contains(&function)) cycle_heads_.push_back(&function);
}

} // namespace hrunc::popcorn
