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
    find_cycles(module);
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
    for (const char *name : {kPollFunction, kSyscallFunction})
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

// Depth first, as Tarjan finds components. Each cycle has an edge that goes back to a node under way.
void CallGraph::find_cycles(llvm::Module &module) {
    struct Step {
        Node node;
        unsigned next, number, lowest; // the lowest number that it leads back to
    };
    llvm::DenseMap<Node, unsigned> numbers; // in the order of the walk, from 1; 0 once its component is known
    llvm::DenseSet<Node> functions, under_way, heads;
    std::vector<Node> open;
    for (llvm::Function &function : module) functions.insert(&function);
    for (llvm::Function &root : module) {
        if (root.isDeclaration() || numbers.contains(&root)) continue;
        std::vector<Step> path;
        auto enter = [&](Node node) {
            auto number = static_cast<unsigned>(numbers.size() + 1);
            numbers[node] = number;
            under_way.insert(node);
            open.push_back(node);
            path.push_back({node, 0, number, number});
        };
        for (enter(&root); !path.empty();) {
            Step &step = path.back();
            auto found = callees_.find(step.node);
            if (found != callees_.end() && step.next < found->second.size()) {
                Node callee = found->second[step.next++];
                auto known = numbers.find(callee);
                // The address of a function whose type is `callee` is taken: the caller stands for all of them.
                if (under_way.contains(callee)) heads.insert(functions.contains(callee) ? callee : step.node);
                if (known == numbers.end())
                    enter(callee);
                else if (known->second != 0)
                    step.lowest = std::min(step.lowest, known->second);
                continue;
            }
            const Step done = step;
            path.pop_back();
            under_way.erase(done.node);
            if (!path.empty()) path.back().lowest = std::min(path.back().lowest, done.lowest);
            if (done.lowest != done.number) continue;
            for (Node member = nullptr; member != done.node; open.pop_back()) {
                member = open.back();
                components_[member] = done.number;
                numbers[member] = 0;
            }
        }
    }
    for (llvm::Function &function : module)
        if (heads.contains(&function)) cycle_heads_.push_back(&function);
}

bool CallGraph::may_come_back(const llvm::CallBase &call) const {
    if (call.isInlineAsm()) return false;
    const llvm::Function *callee = direct_callee(call);
    auto caller = components_.find(call.getFunction());
    auto called = components_.find(callee != nullptr ? static_cast<Node>(callee) : call.getFunctionType());
    return caller != components_.end() && called != components_.end() && caller->second == called->second;
}

} // namespace hrunc::popcorn
