#include "popcorn/passes/steps.h"

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InstIterator.h>

#include <string>

namespace hrunc::popcorn {
namespace {

bool is_cheap(const llvm::Instruction &instruction) {
    using llvm::Instruction;
    switch (instruction.getOpcode()) {
    case Instruction::GetElementPtr:
    case Instruction::Add:
    case Instruction::Sub:
    case Instruction::Mul:
    case Instruction::And:
    case Instruction::Or:
    case Instruction::Xor:
    case Instruction::Shl:
    case Instruction::LShr:
    case Instruction::AShr:
    case Instruction::ICmp:
    case Instruction::FCmp:
    case Instruction::Select:
    case Instruction::Trunc:
    case Instruction::ZExt:
    case Instruction::SExt:
    case Instruction::PtrToInt:
    case Instruction::IntToPtr:
    case Instruction::BitCast:
    case Instruction::ExtractValue:
        return true;
    default:
        return false;
    }
}

// From what the site has anyway.
bool can_recompute(const llvm::Value *value, const llvm::DenseSet<const llvm::Value *> &live) {
    const auto *instruction = llvm::dyn_cast<llvm::Instruction>(value);
    if (instruction == nullptr || !is_cheap(*instruction)) return false;
    for (const llvm::Use &operand : instruction->operands()) {
        if (llvm::isa<llvm::UndefValue>(operand)) return false; // each evaluation could give another value
        if (!llvm::isa<llvm::Constant>(operand) && !is_static_alloca(operand) && !live.contains(operand)) return false;
    }
    return true;
}

void order(llvm::Instruction *value, llvm::DenseSet<llvm::Value *> &waiting,
           std::vector<llvm::Instruction *> &ordered) {
    if (!waiting.erase(value)) return;
    for (llvm::Use &operand : value->operands())
        if (auto *instruction = llvm::dyn_cast<llvm::Instruction>(operand)) order(instruction, waiting, ordered);
    ordered.push_back(value);
}

// Directly before the return, with a prototype that lets both back ends jump: such a call has no frame to capture.
bool make_tail_call(llvm::CallInst &call) {
    const llvm::Function &caller = *call.getFunction();
    const auto *end = llvm::dyn_cast<llvm::ReturnInst>(call.getNextNonDebugInstruction());
    if (end == nullptr || !call.isTailCall() || call.isNoTailCall()) return false;
    if (end->getReturnValue() != nullptr && end->getReturnValue() != &call) return false;
    if (end->getReturnValue() == nullptr && !call.getType()->isVoidTy()) return false;
    if (call.getFunctionType() != caller.getFunctionType() || caller.isVarArg() ||
        call.getCallingConv() != caller.getCallingConv())
        return false;
    using llvm::Attribute;
    for (unsigned i = 0; i < call.arg_size(); i++)
        for (auto kind : {Attribute::StructRet, Attribute::ByVal, Attribute::InReg, Attribute::ByRef,
                          Attribute::StackAlignment, Attribute::Nest})
            if (call.getAttributes().hasParamAttr(i, kind) || caller.hasParamAttribute(i, kind)) return false;
    call.setTailCallKind(llvm::CallInst::TCK_MustTail);
    return true;
}

// What describes the site, in front of its values: flags, the number of objects, and a constant for each value that is
// wider than a word, after one that counts them.
std::vector<llvm::Value *> description(const FunctionSites &sites, const Site &site, unsigned flags) {
    llvm::Module &module = *sites.function->getParent();
    auto *word = llvm::Type::getInt64Ty(module.getContext());
    auto constant = [&](std::uint64_t value) { return llvm::ConstantInt::get(word, value); };
    if (site.tail) return {constant(0), constant(0), constant(0)};
    std::vector<llvm::Value *> wide;
    std::size_t place = fixed_words(sites);
    for (llvm::Value *value : site.words) {
        unsigned words = words_of(value->getType(), module.getDataLayout());
        if (words > 1) wide.push_back(constant(place << 8 | words));
        place++;
    }
    if (sites.floors) flags |= kBundleFloors;
    std::vector<llvm::Value *> operands{constant(flags), constant(sites.allocas.size()), constant(wide.size())};
    operands.insert(operands.end(), wide.begin(), wide.end());
    return operands;
}

} // namespace

unsigned fixed_words(const FunctionSites &sites) {
    return static_cast<unsigned>(sites.allocas.size()) + (sites.floors ? 2 : 0);
}

llvm::Value *as_operand(llvm::IRBuilderBase &build, llvm::Value *value) {
    llvm::Type *type = value->getType();
    if (!type->getScalarType()->isPointerTy()) return value;
    // A pointer would be taken for a reference that a collector may move, and be spilled.
    llvm::Type *word = build.getInt64Ty();
    if (auto *vector = llvm::dyn_cast<llvm::FixedVectorType>(type))
        word = llvm::FixedVectorType::get(word, vector->getNumElements());
    return build.Insert(new llvm::PtrToIntInst(value, word));
}

std::vector<llvm::Value *> operands_of(const FunctionSites &sites, const Site &site) {
    std::vector<llvm::Value *> operands = description(sites, site, 0);
    if (site.tail) return operands;
    llvm::IRBuilder<> build(site.call);
    operands.insert(operands.end(), sites.allocas.begin(), sites.allocas.end());
    if (sites.floors) operands.insert(operands.end(), 2, build.getInt64(0));
    for (llvm::Value *value : site.words) operands.push_back(as_operand(build, value));
    return operands;
}

std::vector<llvm::Value *> operands_in_clone(const FunctionSites &sites, const Site &site, llvm::AllocaInst *objects,
                                             const std::vector<llvm::Value *> &words) {
    std::vector<llvm::Value *> operands = description(sites, site, objects != nullptr ? kBundleArray : 0);
    if (objects != nullptr) operands.push_back(objects);
    operands.insert(operands.end(), words.begin(), words.end());
    return operands;
}

llvm::CallInst *with_bundle(llvm::CallInst *call, const std::vector<llvm::Value *> &operands, std::uint64_t id) {
    llvm::OperandBundleDef bundle("deopt", operands);
    llvm::CallInst *instrumented = llvm::CallInst::Create(call, {bundle}, call->getIterator());
    instrumented->setTailCallKind(llvm::CallInst::TCK_None);
    instrumented->addFnAttr(llvm::Attribute::get(call->getContext(), "statepoint-id", std::to_string(id)));
    instrumented->takeName(call);
    instrumented->setDebugLoc(call->getDebugLoc());
    call->replaceAllUsesWith(instrumented);
    call->eraseFromParent();
    return instrumented;
}

namespace {

// What is no longer true of code that may be left in the middle and entered again.
template <typename T> void strip_attributes(T &target, unsigned arguments) {
    using llvm::Attribute;
    for (auto kind : {Attribute::NoReturn, Attribute::Memory, Attribute::NoSync, Attribute::NoFree,
                      Attribute::WillReturn, Attribute::MustProgress, Attribute::NoRecurse, Attribute::Speculatable,
                      Attribute::NoCallback, Attribute::Convergent})
        target.removeFnAttr(kind);
    for (unsigned i = 0; i < arguments; i++) target.removeParamAttr(i, Attribute::Returned);
}

// A recorded value may be the call of another site, which is replaced.
void attach(FunctionSites &sites) {
    llvm::DenseMap<llvm::Value *, llvm::CallInst *> replaced;
    auto follow = [&](Site &site) {
        for (llvm::Value *&value : site.words)
            if (auto found = replaced.find(value); found != replaced.end()) value = found->second;
    };
    for (std::size_t i = 0; i < sites.sites.size(); i++) {
        Site &site = sites.sites[i];
        if (site.tail) continue;
        follow(site);
        if (site.object != nullptr) continue;
        llvm::CallInst *call = site.call;
        site.call = with_bundle(call, operands_of(sites, site), site_id(sites, i));
        replaced[call] = site.call;
    }
    for (Site &site : sites.sites) follow(site);
    for (std::size_t i = 0; i < sites.sites.size(); i++)
        if (sites.sites[i].object != nullptr) fill_jump_object(sites, i);
}

} // namespace

std::uint64_t site_id(const FunctionSites &sites, std::size_t index) {
    return std::uint64_t{sites.number} << 32 | index;
}

unsigned words_of(llvm::Type *type, const llvm::DataLayout &layout) {
    return static_cast<unsigned>((layout.getTypeStoreSize(type) + 7) / 8);
}

void sort_live_values(Site &site, const std::vector<llvm::Value *> &live) {
    llvm::DenseSet<const llvm::Value *> set(live.begin(), live.end());
    llvm::DenseSet<llvm::Value *> recomputed;
    for (llvm::Value *value : live) {
        if (is_stack_save(value))
            site.stack_saves.push_back(llvm::cast<llvm::Instruction>(value));
        else if (can_recompute(value, set))
            recomputed.insert(value);
        else
            site.words.push_back(value);
    }
    for (llvm::Value *value : live)
        if (auto *instruction = llvm::dyn_cast<llvm::Instruction>(value))
            order(instruction, recomputed, site.recomputed);
}

FunctionSites attach_bundles(llvm::Function &function, std::uint32_t number, const CallGraph &graph) {
    FunctionSites sites;
    sites.function = &function;
    sites.number = number;
    llvm::SmallVector<llvm::CallInst *, 16> calls, tails;
    for (llvm::Instruction &instruction : llvm::instructions(function)) {
        if (is_static_alloca(&instruction)) sites.allocas.push_back(llvm::cast<llvm::AllocaInst>(&instruction));
        if (llvm::isa<llvm::AllocaInst>(instruction) && !is_static_alloca(&instruction)) sites.floors = true;
        auto *call = llvm::dyn_cast<llvm::CallInst>(&instruction);
        if (call != nullptr && is_setjmp(*call)) {
            strip_attributes(*call, call->arg_size());
            calls.push_back(call);
        }
        if (call == nullptr || !graph.may_capture(*call)) continue;
        strip_attributes(*call, call->arg_size());
        (make_tail_call(*call) ? tails : calls).push_back(call);
    }
    strip_attributes(function, static_cast<unsigned>(function.arg_size()));
    function.setUWTableKind(llvm::UWTableKind::Sync);
    normalise_values(function, calls);
    auto live = live_across(function, calls);
    for (std::size_t i = 0; i < calls.size(); i++) {
        Site &site = sites.sites.emplace_back();
        site.call = calls[i];
        sort_live_values(site, live[i]);
        if (is_setjmp(*site.call)) add_jump_object(sites, site);
    }
    for (llvm::CallInst *call : tails) {
        Site &site = sites.sites.emplace_back();
        site.call = call;
        site.tail = true;
    }
    attach(sites);
    return sites;
}

} // namespace hrunc::popcorn
