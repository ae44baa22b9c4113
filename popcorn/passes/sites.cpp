#include "popcorn/passes/steps.h"

#include <llvm/ADT/BitVector.h>
#include <llvm/ADT/MapVector.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/Transforms/Utils/BasicBlockUtils.h>

#include <algorithm>
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

// The return that directly follows the call, in its block or in one that holds nothing else.
llvm::ReturnInst *return_after(llvm::CallInst &call) {
    llvm::Instruction *next = call.getNextNonDebugInstruction();
    auto *branch = llvm::dyn_cast<llvm::BranchInst>(next);
    if (branch != nullptr && branch->isUnconditional()) next = branch->getSuccessor(0)->getFirstNonPHIOrDbg();
    return llvm::dyn_cast<llvm::ReturnInst>(next);
}

// Nothing, or what the call gives.
bool gives_no_other_than(const llvm::CallInst &call, const llvm::ReturnInst &end) {
    const llvm::Value *value = end.getReturnValue();
    if (value == nullptr) return true;
    const auto *phi = llvm::dyn_cast<llvm::PHINode>(value);
    if (phi != nullptr && phi->getParent() == end.getParent() && phi->getParent() != call.getParent())
        value = phi->getIncomingValueForBlock(call.getParent());
    return value == &call;
}

bool is_plain(llvm::CallingConv::ID convention) {
    return convention == llvm::CallingConv::C || convention == llvm::CallingConv::Fast;
}

// In one register on each ISA.
bool takes_a_register(const llvm::Type *type) {
    return type->isPointerTy() || (type->isIntegerTy() && type->getIntegerBitWidth() <= 64) || type->isFloatTy() ||
           type->isDoubleTy();
}

// With another prototype than the caller's: all is in registers, of which x86-64 has fewer, and the caller's frame
// needs no more alignment than any, and has one size.
bool fits_registers(const llvm::CallInst &call) {
    constexpr unsigned kIntegers = 6, kNumbers = 8;
    const llvm::Align stack_align(16);
    const llvm::Function &caller = *call.getFunction();
    const llvm::Function *callee = call.getCalledFunction();
    if (callee == nullptr || callee->hasExternalWeakLinkage() || callee->isVarArg() ||
        callee->getFunctionType() != call.getFunctionType() ||
        (call.getType() != caller.getReturnType() && !caller.getReturnType()->isVoidTy()) ||
        !is_plain(call.getCallingConv()) || !is_plain(caller.getCallingConv()) ||
        call.getCallingConv() != callee->getCallingConv())
        return false;
    using llvm::Attribute;
    if (!call.getType()->isVoidTy() && !takes_a_register(call.getType())) return false;
    for (auto kind : {Attribute::ZExt, Attribute::SExt})
        if (call.hasRetAttr(kind) != caller.hasRetAttribute(kind)) return false;
    for (const llvm::Instruction &instruction : llvm::instructions(caller))
        if (const auto *object = llvm::dyn_cast<llvm::AllocaInst>(&instruction))
            if (!is_static_alloca(object) || object->getAlign() > stack_align) return false;
    unsigned integers = 0, numbers = 0;
    for (const llvm::Value *argument : call.args()) {
        if (!takes_a_register(argument->getType())) return false;
        (argument->getType()->isFloatingPointTy() ? numbers : integers)++;
    }
    return integers <= kIntegers && numbers <= kNumbers;
}

bool has_special_arguments(const llvm::AttributeList &attributes, unsigned count) {
    using llvm::Attribute;
    for (unsigned i = 0; i < count; i++)
        for (auto kind : {Attribute::StructRet, Attribute::ByVal, Attribute::InReg, Attribute::ByRef,
                          Attribute::StackAlignment, Attribute::Nest})
            if (attributes.hasParamAttr(i, kind)) return true;
    return false;
}

// A call that ends its function, if both back ends make a jump of it: such a call has no frame to capture. The code
// generators are checked for it (popcorn/link/codegen.cpp).
bool make_tail_call(llvm::CallInst &call) {
    llvm::Function &caller = *call.getFunction();
    llvm::ReturnInst *end = return_after(call);
    if (end == nullptr || !call.isTailCall() || call.isNoTailCall() || !gives_no_other_than(call, *end)) return false;
    if (caller.isVarArg() || caller.getFnAttribute("disable-tail-calls").getValueAsBool() ||
        has_special_arguments(call.getAttributes(), call.arg_size()) ||
        has_special_arguments(caller.getAttributes(), static_cast<unsigned>(caller.arg_size())))
        return false;
    const bool same =
        call.getFunctionType() == caller.getFunctionType() && call.getCallingConv() == caller.getCallingConv();
    if (!same && !fits_registers(call)) return false;
    if (end->getParent() != call.getParent()) {
        llvm::FoldReturnIntoUncondBranch(end, end->getParent(), call.getParent());
        if (llvm::pred_empty(end->getParent())) llvm::DeleteDeadBlock(end->getParent());
    }
    call.setTailCallKind(same ? llvm::CallInst::TCK_MustTail : llvm::CallInst::TCK_Tail);
    return true;
}

// A value, or words that hold none: null.
struct Field {
    llvm::Value *value;
    unsigned words;
};

std::vector<Field> fields_of(const Site &site, const llvm::DataLayout &layout) {
    constexpr unsigned kMost = 255;
    std::vector<Field> fields;
    unsigned at = 0;
    for (std::size_t i = 0; i < site.words.size(); i++) {
        while (at < site.places[i]) {
            fields.push_back({nullptr, std::min(kMost, site.places[i] - at)});
            at += fields.back().words;
        }
        fields.push_back({site.words[i], words_of(site.words[i]->getType(), layout)});
        at += fields.back().words;
    }
    return fields;
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
    for (const Field &field : fields_of(site, module.getDataLayout())) {
        if (field.words > 1) wide.push_back(constant(place << 8 | field.words));
        place++;
    }
    if (sites.floors) flags |= kBundleFloors;
    std::vector<llvm::Value *> operands{constant(flags), constant(sites.allocas.size()), constant(wide.size())};
    operands.insert(operands.end(), wide.begin(), wide.end());
    return operands;
}

llvm::Value *as_operand(llvm::IRBuilderBase &build, llvm::Value *value) {
    if (value == nullptr) return build.getInt64(0);
    llvm::Type *type = value->getType();
    if (!type->getScalarType()->isPointerTy()) return value;
    // A pointer would be taken for a reference that a collector may move, and be spilled.
    llvm::Type *word = build.getInt64Ty();
    if (auto *vector = llvm::dyn_cast<llvm::FixedVectorType>(type))
        word = llvm::FixedVectorType::get(word, vector->getNumElements());
    return build.Insert(new llvm::PtrToIntInst(value, word));
}

} // namespace

unsigned fixed_words(const FunctionSites &sites) {
    return static_cast<unsigned>(sites.allocas.size()) + (sites.floors ? 2 : 0);
}

std::vector<llvm::Value *> operands_of(const FunctionSites &sites, const Site &site) {
    std::vector<llvm::Value *> operands = description(sites, site, 0);
    if (site.tail) return operands;
    llvm::IRBuilder<> build(site.call);
    operands.insert(operands.end(), sites.allocas.begin(), sites.allocas.end());
    if (sites.floors) operands.insert(operands.end(), 2, build.getInt64(0));
    for (const Field &field : fields_of(site, sites.function->getParent()->getDataLayout()))
        operands.push_back(as_operand(build, field.value));
    return operands;
}

std::vector<llvm::Value *> operands_in_clone(const FunctionSites &sites, const Site &site, llvm::AllocaInst *copy,
                                             llvm::ArrayRef<llvm::Use> bundle) {
    const bool any = fixed_words(sites) != 0;
    std::vector<llvm::Value *> operands = description(sites, site, any ? kBundleObjects : 0);
    // As many as in the original: only a flag differs.
    bundle = bundle.drop_front(operands.size() + fixed_words(sites));
    if (any) operands.push_back(copy);
    operands.insert(operands.end(), bundle.begin(), bundle.end());
    return operands;
}

std::vector<llvm::Value *> operands_of_copy(const FunctionSites &sites, llvm::AllocaInst *copy) {
    std::vector<llvm::Value *> operands = description(sites, Site(), kBundleCopy);
    operands.push_back(copy);
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

unsigned words_of(const Site &site, const llvm::DataLayout &layout) {
    return site.words.empty() ? 0 : site.places.back() + words_of(site.words.back()->getType(), layout);
}

// Values of one type that no site records together may share a place. Those that most sites record come first, so that
// records are short.
void place_values(FunctionSites &sites) {
    struct Place {
        llvm::Type *type;
        unsigned word;
        llvm::BitVector taken; // at which sites
    };
    const llvm::DataLayout &layout = sites.function->getParent()->getDataLayout();
    llvm::MapVector<llvm::Value *, llvm::BitVector> recorded;
    for (std::size_t i = 0; i < sites.sites.size(); i++)
        for (llvm::Value *value : sites.sites[i].words) {
            llvm::BitVector &at = recorded[value];
            at.resize(static_cast<unsigned>(sites.sites.size()));
            at.set(static_cast<unsigned>(i));
        }
    std::vector<std::pair<llvm::Value *, llvm::BitVector>> ordered(recorded.begin(), recorded.end());
    std::stable_sort(ordered.begin(), ordered.end(),
                     [](const auto &a, const auto &b) { return a.second.count() > b.second.count(); });
    std::vector<Place> places;
    llvm::DenseMap<const llvm::Value *, unsigned> words;
    unsigned end = 0;
    for (const auto &[value, at] : ordered) {
        llvm::Type *type = value->getType();
        auto free = std::find_if(places.begin(), places.end(), [&, &sites_of = at](const Place &place) {
            return place.type == type && !place.taken.anyCommon(sites_of);
        });
        if (free == places.end()) {
            free = places.insert(free, {type, end, llvm::BitVector(at.size())});
            end += words_of(type, layout);
        }
        free->taken |= at;
        words[value] = free->word;
    }
    for (Site &site : sites.sites) {
        std::sort(site.words.begin(), site.words.end(), [&](auto *a, auto *b) { return words[a] < words[b]; });
        for (const llvm::Value *value : site.words) site.places.push_back(words[value]);
    }
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
    llvm::SmallVector<llvm::CallInst *, 16> calls, tails, captures;
    for (llvm::Instruction &instruction : llvm::instructions(function)) {
        if (is_static_alloca(&instruction)) sites.allocas.push_back(llvm::cast<llvm::AllocaInst>(&instruction));
        if (llvm::isa<llvm::AllocaInst>(instruction) && !is_static_alloca(&instruction)) sites.floors = true;
        auto *call = llvm::dyn_cast<llvm::CallInst>(&instruction);
        if (call != nullptr && (is_setjmp(*call) || graph.may_capture(*call))) captures.push_back(call);
    }
    for (llvm::CallInst *call : captures) {
        strip_attributes(*call, call->arg_size());
        (!is_setjmp(*call) && make_tail_call(*call) ? tails : calls).push_back(call);
    }
    strip_attributes(function, static_cast<unsigned>(function.arg_size()));
    function.setUWTableKind(llvm::UWTableKind::Sync);
    simplify_values(function, calls);
    normalise_values(function, calls);
    auto live = live_across(function, calls);
    for (std::size_t i = 0; i < calls.size(); i++) {
        Site &site = sites.sites.emplace_back();
        site.call = calls[i];
        sort_live_values(site, live[i]);
    }
    place_values(sites);
    for (Site &site : sites.sites)
        if (is_setjmp(*site.call)) add_jump_object(sites, site);
    for (llvm::CallInst *call : tails) {
        Site &site = sites.sites.emplace_back();
        site.call = call;
        site.tail = true;
    }
    attach(sites);
    return sites;
}

} // namespace hrunc::popcorn
