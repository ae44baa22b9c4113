#include "popcorn/passes/steps.h"

#include <llvm/ADT/SetVector.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/Transforms/Utils/Local.h>

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

// Choices between small integers, made choices between their pieces, which are their zero extensions.
class Widened {
  public:
    explicit Widened(const llvm::DataLayout &layout) : layout_(layout) {}

    // The choice between pieces, where the value is one between small integers; null: it is none.
    llvm::Value *choice(llvm::Value *value) {
        auto *phi = llvm::dyn_cast<llvm::PHINode>(value);
        if (phi == nullptr || !phi->getType()->isIntegerTy() || layout_.getTypeSizeInBits(phi->getType()) > 64)
            return nullptr;
        llvm::Type *type = Builder(phi).getIntNTy(phi->getType()->getIntegerBitWidth() <= 32 ? 32 : 64);
        auto *wide = llvm::PHINode::Create(type, phi->getNumIncomingValues(), "", phi->getIterator());
        llvm::DenseMap<llvm::BasicBlock *, llvm::Value *> at_ends;
        for (unsigned i = 0; i < phi->getNumIncomingValues(); i++) {
            llvm::Value *&piece = at_ends[phi->getIncomingBlock(i)];
            if (piece == nullptr) piece = phi->getIncomingValue(i) == phi ? wide : extended(*phi, i, type);
            wide->addIncoming(piece, phi->getIncomingBlock(i));
        }
        pieces_.insert(wide);
        return wide;
    }

    // Whether the user extends the small integer: then it is replaced by the piece, extended.
    bool replaces(llvm::Instruction *user, llvm::Value *piece) {
        auto *extension = llvm::dyn_cast<llvm::ZExtInst>(user);
        if (extension == nullptr || !pieces_.contains(piece) || !is_plain(extension->getType(), layout_) ||
            extension->getType()->getIntegerBitWidth() < piece->getType()->getIntegerBitWidth())
            return false;
        extension->replaceAllUsesWith(Builder(extension).CreateZExt(piece, extension->getType()));
        extension->eraseFromParent();
        return true;
    }

  private:
    llvm::Value *extended(llvm::PHINode &phi, unsigned index, llvm::Type *type) {
        llvm::Value *value = phi.getIncomingValue(index);
        auto *part = llvm::dyn_cast<llvm::TruncInst>(value);
        if (part != nullptr && part->getOperand(0)->getType() == type && pieces_.contains(part->getOperand(0)))
            return part->getOperand(0);
        return Builder(phi.getIncomingBlock(index)->getTerminator()).CreateZExt(value, type);
    }

    const llvm::DataLayout &layout_;
    llvm::DenseSet<llvm::Value *> pieces_;
};

// What debuggers know of it, they know of the piece.
void remove(llvm::PHINode &phi, llvm::Value &piece) {
    auto *part = new llvm::TruncInst(&piece, phi.getType(), "", phi.getParent()->getFirstInsertionPt());
    phi.replaceAllUsesWith(part);
    phi.eraseFromParent();
    llvm::salvageDebugInfo(*part);
    if (part->use_empty()) part->eraseFromParent();
}

// Where the value is used it is put together again from its pieces; so only those are live in between.
void take_apart(llvm::Value *value, llvm::Function &function, Widened &widened) {
    const llvm::DataLayout &layout = function.getParent()->getDataLayout();
    Pieces pieces;
    llvm::SmallVector<llvm::Use *, 8> uses;
    llvm::Value *choice = widened.choice(value);
    if (choice != nullptr) {
        pieces.push_back(choice);
        for (llvm::Use &use : value->uses())
            if (use.getUser() != value) uses.push_back(&use);
    } else {
        for (llvm::Use &use : value->uses()) uses.push_back(&use);
        Builder build(place_after(value, function));
        encode(build, value, layout, pieces);
    }
    Builder build(function.getContext());
    llvm::DenseMap<llvm::BasicBlock *, llvm::Value *> at_ends;
    for (llvm::Use *use : uses) {
        auto *user = llvm::cast<llvm::Instruction>(use->getUser());
        if (widened.replaces(user, pieces.front())) continue;
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
    if (choice != nullptr) remove(llvm::cast<llvm::PHINode>(*value), *choice);
}

} // namespace

void normalise_values(llvm::Function &function, const llvm::SmallVectorImpl<llvm::CallInst *> &calls) {
    const llvm::DataLayout &layout = function.getParent()->getDataLayout();
    Widened widened(layout);
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
        for (llvm::Value *value : unfit) take_apart(value, function, widened);
    }
}

} // namespace hrunc::popcorn
