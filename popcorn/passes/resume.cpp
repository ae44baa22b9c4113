#include "popcorn/passes/steps.h"

#include <llvm/ADT/MapVector.h>
#include <llvm/IR/AttributeMask.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/Transforms/Utils/BasicBlockUtils.h>
#include <llvm/Transforms/Utils/Cloning.h>
#include <llvm/Transforms/Utils/Local.h>
#include <llvm/Transforms/Utils/PromoteMemToReg.h>

namespace hrunc::popcorn {
namespace {

// Of struct popcorn_frame, in words.
enum { kNextWord = 0, kResumeWord = 1, kSiteWord = 2, kFirstWord = 4 };

class Clone {
  public:
    explicit Clone(const FunctionSites &sites)
        : sites_(sites), original_(*sites.function), layout_(original_.getParent()->getDataLayout()) {}

    llvm::Function *make() {
        declare();
        copy_body();
        for (llvm::AllocaInst *alloca : sites_.allocas) static_allocas_.insert(copy_of(alloca));
        for (unsigned i = 0; i < sites_.sites.size(); i++) add_site(i);
        remove_markers();
        for (auto &[value, slot] : slots_) use_slot(value, slot);
        for (llvm::AllocaInst *alloca : sites_.allocas) copy_of(alloca)->eraseFromParent();
        for (llvm::Instruction *stand_in : stand_ins_)
            if (stand_in->use_empty()) stand_in->eraseFromParent();
        llvm::removeUnreachableBlocks(*clone_);
        promote();
        return clone_;
    }

  private:
    void declare() {
        llvm::LLVMContext &context = original_.getContext();
        auto *type = llvm::FunctionType::get(original_.getReturnType(), {llvm::PointerType::get(context, 0)}, false);
        clone_ = llvm::Function::Create(type, original_.getLinkage(), original_.getName() + ".resume",
                                        original_.getParent());
        clone_->setDSOLocal(true);
        clone_->getArg(0)->setName("record");
        entry_ = llvm::BasicBlock::Create(context, "resume", clone_);
    }

    void copy_body() {
        llvm::IRBuilder<> build(entry_);
        for (llvm::Argument &argument : original_.args()) {
            // Stands for the argument until its uses go to a slot.
            auto *stand_in = llvm::cast<llvm::Instruction>(
                build.Insert(new llvm::FreezeInst(llvm::PoisonValue::get(argument.getType()))));
            map_[&argument] = stand_in;
            stand_ins_.push_back(stand_in);
        }
        llvm::SmallVector<llvm::ReturnInst *, 8> returns;
        llvm::CloneFunctionInto(clone_, &original_, map_, llvm::CloneFunctionChangeType::LocalChangesOnly, returns);
        clone_->setAttributes(attributes());
        clone_->setSection((".text.resume." + original_.getName()).str());
        clone_->setPersonalityFn(nullptr);
        record_ = clone_->getArg(0);
        nowhere_ = llvm::BasicBlock::Create(original_.getContext(), "nowhere", clone_);
        new llvm::UnreachableInst(original_.getContext(), nowhere_);
        build.SetInsertPoint(entry_);
        llvm::Value *site = load(build, build.getInt64Ty(), kSiteWord);
        choice_ = build.CreateSwitch(site, nowhere_, static_cast<unsigned>(sites_.sites.size()));
    }

    llvm::AttributeList attributes() {
        llvm::AttributeList from = original_.getAttributes();
        auto list = llvm::AttributeList::get(original_.getContext(), from.getFnAttrs(), from.getRetAttrs(), {});
        llvm::AttributeMask unfit;
        unfit.addAttribute(llvm::Attribute::AlwaysInline);
        unfit.addAttribute(llvm::Attribute::InlineHint);
        unfit.addAttribute(llvm::Attribute::AllocSize);
        unfit.addAttribute(llvm::Attribute::AllocKind);
        unfit.addAttribute(llvm::Attribute::OptimizeNone);
        list = list.removeFnAttributes(original_.getContext(), unfit);
        list = list.removeRetAttributes(original_.getContext(),
                                        llvm::AttributeMask().addAttribute(llvm::Attribute::NoAlias));
        list = list.addFnAttribute(original_.getContext(), llvm::Attribute::NoInline);
        return list.addFnAttribute(original_.getContext(), llvm::Attribute::OptimizeForSize);
    }

    llvm::Value *load(llvm::IRBuilder<> &build, llvm::Type *type, unsigned word) {
        llvm::Value *at = build.CreateConstInBoundsGEP1_64(build.getInt64Ty(), record_, word);
        return build.CreateAlignedLoad(type, at, llvm::Align(8));
    }

    llvm::Instruction *copy_of(llvm::Value *value) { return llvm::cast<llvm::Instruction>(map_.lookup(value)); }

    llvm::AllocaInst *slot_of(llvm::Instruction *copy) {
        llvm::AllocaInst *&slot = slots_[copy];
        if (slot == nullptr) slot = new llvm::AllocaInst(copy->getType(), 0, "", entry_->begin());
        return slot;
    }

    // Takes values of a site from the record and stores them into their slots; gives the bundle's operands.
    std::vector<llvm::Value *> reload(const Site &site, llvm::IRBuilder<> &build) {
        llvm::CallInst *copy = llvm::cast<llvm::CallInst>(copy_of(site.call));
        std::size_t described = site.words.size() + (sites_.floors ? 2 : 0) + sites_.allocas.size();
        std::vector<llvm::Value *> operands;
        if (auto bundle = copy->getOperandBundle(llvm::LLVMContext::OB_deopt))
            for (const llvm::Use &operand : bundle->Inputs) operands.push_back(operand.get());
        else
            operands.resize(described, record_);
        if (site.tail) return operands;
        std::size_t first = operands.size() - described;
        unsigned word = kFirstWord;
        for (llvm::AllocaInst *alloca : sites_.allocas) {
            llvm::Value *address = load(build, alloca->getType(), word++);
            build.CreateStore(address, slot_of(copy_of(alloca)));
            operands[first++] = build.CreatePtrToInt(address, build.getInt64Ty());
        }
        if (sites_.floors)
            for (unsigned i = 0; i < 2; i++) {
                llvm::Value *floor = load(build, build.getInt64Ty(), word++);
                build.CreateStore(floor, floors_[i]);
                operands[first++] = floor;
            }
        for (llvm::Value *value : site.words) {
            llvm::Value *loaded = load(build, value->getType(), word);
            word += words_of(value->getType(), layout_);
            build.CreateStore(loaded, slot_of(copy_of(value)));
            if (site.object == nullptr)
                operands[first] = build.CreateBitOrPointerCast(loaded, operands[first]->getType());
            first++;
        }
        return operands;
    }

    void recompute(const Site &site, llvm::IRBuilder<> &build) {
        for (llvm::Instruction *value : site.recomputed) {
            llvm::Instruction *again = value->clone();
            for (llvm::Use &operand : again->operands())
                if (auto *copy = llvm::dyn_cast_or_null<llvm::Instruction>(map_.lookup(operand.get())))
                    operand.set(build.CreateLoad(copy->getType(), slot_of(copy)));
            again->setDebugLoc({});
            build.Insert(again);
            build.CreateStore(again, slot_of(copy_of(value)));
        }
        for (llvm::Instruction *save : site.stack_saves)
            build.CreateStore(build.CreateStackSave(), slot_of(copy_of(save)));
    }

    void add_site(unsigned number) {
        const Site &site = sites_.sites[number];
        auto *call = llvm::cast<llvm::CallInst>(copy_of(site.call));
        if (site.tail) {
            call->setTailCallKind(llvm::CallInst::TCK_None);
            call = with_bundle(call, operands_of(sites_, site), site_id(sites_, number));
            map_[site.call] = call;
        }
        if (sites_.floors && floors_[0] == nullptr)
            for (llvm::AllocaInst *&floor : floors_)
                floor = new llvm::AllocaInst(llvm::Type::getInt64Ty(clone_->getContext()), 0, "", entry_->begin());
        auto *block = llvm::BasicBlock::Create(clone_->getContext(), "site", clone_);
        llvm::IRBuilder<> build(block);
        build.SetCurrentDebugLocation(call->getDebugLoc());
        std::vector<llvm::Value *> operands = reload(site, build);
        recompute(site, build);
        if (site.object != nullptr) operands.clear();
        llvm::CallInst *next = call_next(*call, build, operands);
        llvm::BasicBlock *rest = llvm::SplitBlock(call->getParent(), call->getNextNode());
        if (!call->getType()->isVoidTy() && !call->use_empty()) build.CreateStore(next, slot_of(call));
        build.CreateBr(rest);
        choice_->addCase(build.getInt64(number), block);
        own_operands(site, *call);
    }

    llvm::CallInst *call_next(llvm::CallInst &call, llvm::IRBuilder<> &build,
                              const std::vector<llvm::Value *> &operands) {
        llvm::Value *record = load(build, build.getPtrTy(), kNextWord);
        llvm::Value *at = build.CreateConstInBoundsGEP1_64(build.getInt64Ty(), record, kResumeWord);
        llvm::Value *function = build.CreateAlignedLoad(build.getPtrTy(), at, llvm::Align(8));
        auto *type = llvm::FunctionType::get(call.getType(), {build.getPtrTy()}, false);
        llvm::SmallVector<llvm::OperandBundleDef, 1> bundles;
        if (!operands.empty()) bundles.emplace_back("deopt", operands);
        llvm::CallInst *next = build.CreateCall(type, function, {record}, bundles);
        llvm::AttributeList from = call.getAttributes();
        next->setAttributes(llvm::AttributeList::get(build.getContext(), llvm::AttributeSet(), from.getRetAttrs(), {}));
        if (!operands.empty()) next->addFnAttr(from.getFnAttr("statepoint-id"));
        return next;
    }

    // In the clone, static allocas are addresses in another frame: numbers to the bundle. Floors come from the record.
    void own_operands(const Site &site, llvm::CallInst &call) {
        if (site.tail || site.object != nullptr) return;
        auto bundle = call.getOperandBundle(llvm::LLVMContext::OB_deopt);
        unsigned first =
            call.getBundleOperandsStartIndex() + static_cast<unsigned>(bundle->Inputs.size() - site.words.size() -
                                                                       (sites_.floors ? 2 : 0) - sites_.allocas.size());
        llvm::IRBuilder<> build(&call);
        for (unsigned i = 0; i < sites_.allocas.size(); i++, first++)
            call.setOperand(first, build.CreatePtrToInt(call.getOperand(first), build.getInt64Ty()));
        if (sites_.floors)
            for (llvm::AllocaInst *floor : floors_)
                call.setOperand(first++, build.CreateLoad(build.getInt64Ty(), floor));
    }

    // Every use of the value loads it from the slot, every definition stores it there.
    void use_slot(llvm::Instruction *value, llvm::AllocaInst *slot) {
        llvm::SmallVector<llvm::Use *, 16> uses;
        for (llvm::Use &use : value->uses()) uses.push_back(&use);
        llvm::DenseMap<llvm::BasicBlock *, llvm::Value *> at_ends;
        for (llvm::Use *use : uses) {
            auto *user = llvm::cast<llvm::Instruction>(use->getUser());
            auto *phi = llvm::dyn_cast<llvm::PHINode>(user);
            if (phi == nullptr) {
                use->set(new llvm::LoadInst(value->getType(), slot, "", user->getIterator()));
                continue;
            }
            llvm::BasicBlock *from = phi->getIncomingBlock(*use);
            llvm::Value *&loaded = at_ends[from];
            if (loaded == nullptr)
                loaded = new llvm::LoadInst(value->getType(), slot, "", from->getTerminator()->getIterator());
            use->set(loaded);
        }
        if (static_allocas_.contains(value)) return; // only ever in a record
        auto at = llvm::isa<llvm::PHINode>(value) ? value->getParent()->getFirstInsertionPt()
                                                  : std::next(value->getIterator());
        new llvm::StoreInst(value, slot, at);
    }

    // Lifetimes of objects that lie in another frame now, and where variables lie.
    void remove_markers() {
        for (llvm::Instruction &instruction : llvm::make_early_inc_range(llvm::instructions(*clone_))) {
            instruction.dropDbgRecords();
            if (instruction.isLifetimeStartOrEnd() || llvm::isa<llvm::DbgInfoIntrinsic>(instruction))
                instruction.eraseFromParent();
        }
    }

    void promote() {
        llvm::DominatorTree tree(*clone_);
        std::vector<llvm::AllocaInst *> slots;
        for (auto &[value, slot] : slots_) slots.push_back(slot);
        for (llvm::AllocaInst *floor : floors_)
            if (floor != nullptr) slots.push_back(floor);
        llvm::PromoteMemToReg(slots, tree);
    }

    const FunctionSites &sites_;
    llvm::Function &original_;
    const llvm::DataLayout &layout_;
    llvm::Function *clone_ = nullptr;
    llvm::Argument *record_ = nullptr;
    llvm::BasicBlock *entry_ = nullptr, *nowhere_ = nullptr;
    llvm::SwitchInst *choice_ = nullptr;
    llvm::ValueToValueMapTy map_;
    llvm::DenseSet<llvm::Instruction *> static_allocas_;
    std::vector<llvm::Instruction *> stand_ins_;
    llvm::MapVector<llvm::Instruction *, llvm::AllocaInst *> slots_;
    llvm::AllocaInst *floors_[2] = {};
};

} // namespace

llvm::Function *make_resume_clone(const FunctionSites &sites) {
    return Clone(sites).make();
}

} // namespace hrunc::popcorn
