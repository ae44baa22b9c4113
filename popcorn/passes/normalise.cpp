#include "popcorn/passes/steps.h"

#include <llvm/ADT/SetVector.h>
#include <llvm/IR/IRBuilder.h>

namespace hrunc::popcorn {
namespace {

using Builder = llvm::IRBuilder<>;
using Pieces = llvm::SmallVector<llvm::Value *, 4>;

bool is_plain_vector(llvm::Type *type, const llvm::DataLayout &layout) {
    auto *vector = llvm::dyn_cast<llvm::FixedVectorType>(type);
    if (vector == nullptr) return false;
    llvm::Type *element = vector->getElementType();
    if (!element->isPointerTy() && !element->isFloatTy() && !element->isDoubleTy() && !element->isIntegerTy(8) &&
        !element->isIntegerTy(16) && !element->isIntegerTy(32) && !element->isIntegerTy(64))
        return false;
    std::uint64_t bits = layout.getTypeSizeInBits(type);
    return bits >= 128 && (bits & (bits - 1)) == 0;
}

// Lies in one register, or one slot, on both ISAs without being changed first.
bool is_plain(llvm::Type *type, const llvm::DataLayout &layout) {
    return type->isIntegerTy(32) || type->isIntegerTy(64) || type->isFloatTy() || type->isDoubleTy() ||
           type->isFP128Ty() || type->isPointerTy() || is_plain_vector(type, layout);
}

llvm::Type *bits_type(llvm::Type *type, const llvm::DataLayout &layout) {
    return llvm::Type::getIntNTy(type->getContext(), static_cast<unsigned>(layout.getTypeSizeInBits(type)));
}

bool has_pointers(llvm::Type *type) {
    return type->isVectorTy() && type->getScalarType()->isPointerTy();
}

llvm::Type *integers_for(llvm::Type *pointers) {
    auto *vector = llvm::cast<llvm::FixedVectorType>(pointers);
    return llvm::FixedVectorType::get(llvm::Type::getInt64Ty(pointers->getContext()), vector->getNumElements());
}

unsigned element_count(llvm::Type *aggregate) {
    if (auto *structure = llvm::dyn_cast<llvm::StructType>(aggregate)) return structure->getNumElements();
    return static_cast<unsigned>(llvm::cast<llvm::ArrayType>(aggregate)->getNumElements());
}

// Takes a value apart into plain pieces.
void encode(Builder &build, llvm::Value *value, const llvm::DataLayout &layout, Pieces &pieces) {
    llvm::Type *type = value->getType();
    if (is_plain(type, layout)) {
        pieces.push_back(value);
        return;
    }
    if (type->isAggregateType()) {
        for (unsigned i = 0; i < element_count(type); i++)
            encode(build, build.CreateExtractValue(value, i), layout, pieces);
        return;
    }
    if (has_pointers(type)) value = build.CreatePtrToInt(value, integers_for(type));
    if (!type->isIntegerTy()) value = build.CreateBitCast(value, bits_type(type, layout));
    unsigned bits = value->getType()->getIntegerBitWidth();
    if (bits <= 64) {
        pieces.push_back(build.CreateZExt(value, bits <= 32 ? build.getInt32Ty() : build.getInt64Ty()));
        return;
    }
    for (unsigned from = 0; from < bits; from += 64) {
        llvm::Value *piece = from == 0 ? value : build.CreateLShr(value, from);
        pieces.push_back(build.CreateTrunc(piece, build.getInt64Ty()));
        if (bits - from < 64) break; // the bits beyond are 0
    }
}

// The inverse; takes the pieces from the front.
llvm::Value *decode(Builder &build, llvm::Type *type, const llvm::DataLayout &layout,
                    llvm::ArrayRef<llvm::Value *> &pieces) {
    if (is_plain(type, layout)) {
        llvm::Value *value = pieces.front();
        pieces = pieces.drop_front();
        return value;
    }
    if (type->isAggregateType()) {
        llvm::Value *value = llvm::PoisonValue::get(type);
        for (unsigned i = 0; i < element_count(type); i++)
            value = build.CreateInsertValue(
                value, decode(build, llvm::ExtractValueInst::getIndexedType(type, i), layout, pieces), i);
        return value;
    }
    llvm::Type *whole = type->isIntegerTy() ? type : bits_type(type, layout);
    unsigned bits = whole->getIntegerBitWidth();
    llvm::Value *value = build.CreateZExtOrTrunc(pieces.front(), whole);
    pieces = pieces.drop_front();
    for (unsigned from = 64; from < bits; from += 64) {
        value = build.CreateOr(value, build.CreateShl(build.CreateZExtOrTrunc(pieces.front(), whole), from));
        pieces = pieces.drop_front();
    }
    if (type->isIntegerTy()) return value;
    if (has_pointers(type)) return build.CreateIntToPtr(build.CreateBitCast(value, integers_for(type)), type);
    return build.CreateBitCast(value, type);
}

llvm::Instruction *place_after(llvm::Value *value, llvm::Function &function) {
    auto *instruction = llvm::dyn_cast<llvm::Instruction>(value);
    if (instruction != nullptr && !llvm::isa<llvm::PHINode>(instruction)) return instruction->getNextNode();
    llvm::BasicBlock &block = instruction != nullptr ? *instruction->getParent() : function.getEntryBlock();
    auto at = block.getFirstInsertionPt();
    while (is_static_alloca(&*at)) at++;
    return &*at;
}

// Where the value is used it is put together again from its pieces; so only those are live in between.
void take_apart(llvm::Value *value, llvm::Function &function) {
    const llvm::DataLayout &layout = function.getParent()->getDataLayout();
    llvm::SmallVector<llvm::Use *, 8> uses;
    for (llvm::Use &use : value->uses()) uses.push_back(&use);
    Builder build(place_after(value, function));
    Pieces pieces;
    encode(build, value, layout, pieces);
    llvm::DenseMap<llvm::BasicBlock *, llvm::Value *> at_ends;
    for (llvm::Use *use : uses) {
        auto *user = llvm::cast<llvm::Instruction>(use->getUser());
        llvm::ArrayRef<llvm::Value *> left = pieces;
        if (auto *phi = llvm::dyn_cast<llvm::PHINode>(user)) {
            llvm::BasicBlock *from = phi->getIncomingBlock(*use);
            llvm::Value *&whole = at_ends[from];
            build.SetInsertPoint(from->getTerminator());
            if (whole == nullptr) whole = decode(build, value->getType(), layout, left);
            use->set(whole);
            continue;
        }
        build.SetInsertPoint(user);
        use->set(decode(build, value->getType(), layout, left));
    }
}

} // namespace

void normalise_values(llvm::Function &function, const llvm::SmallVectorImpl<llvm::CallInst *> &calls) {
    const llvm::DataLayout &layout = function.getParent()->getDataLayout();
    for (;;) {
        llvm::SetVector<llvm::Value *> unfit;
        auto live = live_across(function, calls);
        for (auto &values : live) {
            Site site;
            sort_live_values(site, values);
            for (llvm::Value *value : site.words)
                if (!is_plain(value->getType(), layout)) unfit.insert(value);
        }
        if (unfit.empty()) return;
        for (llvm::Value *value : unfit) take_apart(value, function);
    }
}

} // namespace hrunc::popcorn
