#include "popcorn/passes/steps.h"

#include <llvm/ADT/MapVector.h>
#include <llvm/ADT/SetVector.h>
#include <llvm/IR/AttributeMask.h>
#include <llvm/IR/DIBuilder.h>
#include <llvm/IR/DebugInfo.h>
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
        read_objects();
        for (unsigned i = 0; i < sites_.sites.size(); i++) name_array(i);
        find_derived();
        for (unsigned i = 0; i < sites_.sites.size(); i++) add_site(i);
        describe_objects();
        remove_markers();
        derive_at_uses();
        replace_allocas();
        for (auto &[value, slot] : slots_) use_slot(value, slot);
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
    }

    // Objects' addresses and floors are the first words at every site but those of tail calls, whose records have none.
    // They stay in an array of the clone's frame, which the bundles name.
    void read_objects() {
        llvm::IRBuilder<> build(entry_);
        llvm::Value *site = load(build, record_, build.getInt64Ty(), kSiteWord);
        next_record_ = load(build, record_, build.getPtrTy(), kNextWord);
        resume_next_ = load(build, next_record_, build.getPtrTy(), kResumeWord);
        std::size_t tails = 0;
        for (const Site &one : sites_.sites) tails += one.tail;
        if (tails != 0) {
            auto *block = llvm::BasicBlock::Create(clone_->getContext(), "tails", clone_);
            auto *others = llvm::BasicBlock::Create(clone_->getContext(), "others", clone_);
            build.CreateCondBr(build.CreateICmpUGE(site, build.getInt64(sites_.sites.size() - tails)), block, others);
            build.SetInsertPoint(block);
            tail_choice_ = build.CreateSwitch(site, nowhere_, static_cast<unsigned>(tails));
            build.SetInsertPoint(others);
        }
        if (unsigned count = fixed_words(sites_); count != 0) {
            auto *type = llvm::ArrayType::get(build.getInt64Ty(), count);
            objects_ = new llvm::AllocaInst(type, 0, nullptr, llvm::Align(8), "objects", entry_->begin());
            llvm::Value *from = build.CreateConstInBoundsGEP1_64(build.getInt64Ty(), record_, kFirstWord);
            build.CreateMemCpy(objects_, llvm::Align(8), from, llvm::Align(8), std::uint64_t{8} * count);
        }
        choice_ = build.CreateSwitch(site, nowhere_, static_cast<unsigned>(sites_.sites.size() - tails));
    }

    // In the clone, static allocas are objects of another frame.
    void replace_allocas() {
        for (unsigned i = 0; i < sites_.allocas.size(); i++) {
            llvm::Instruction *copy = copy_of(sites_.allocas[i]);
            replace_uses(copy, [&](llvm::BasicBlock::iterator before) {
                llvm::IRBuilder<> build(before->getParent(), before);
                return load(build, objects_, copy->getType(), i);
            });
            copy->eraseFromParent();
        }
    }

    // The bundles of the original's calls name each of its objects; those of the clone the array.
    void name_array(unsigned number) {
        const Site &site = sites_.sites[number];
        if (site.tail || site.object != nullptr) return;
        auto *call = llvm::cast<llvm::CallInst>(copy_of(site.call));
        std::vector<llvm::Value *> words;
        llvm::OperandBundleUse bundle = call->getOperandBundleAt(0); // check_supported() lets no others in
        for (const llvm::Use &operand : bundle.Inputs.take_back(site.words.size())) words.push_back(operand.get());
        map_[site.call] = with_bundle(call, operands_in_clone(sites_, site, objects_, words), site_id(sites_, number));
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

    static llvm::Value *load(llvm::IRBuilder<> &build, llvm::Value *record, llvm::Type *type, unsigned word) {
        llvm::Value *at = build.CreateConstInBoundsGEP1_64(build.getInt64Ty(), record, word);
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
        if (site.tail) return operands_of(sites_, site);
        unsigned word = kFirstWord + fixed_words(sites_);
        std::vector<llvm::Value *> words;
        for (llvm::Value *value : site.words) {
            llvm::Value *loaded = load(build, record_, value->getType(), word);
            word += words_of(value->getType(), layout_);
            build.CreateStore(loaded, slot_of(copy_of(value)));
            words.push_back(as_operand(build, loaded));
        }
        return operands_in_clone(sites_, site, objects_, words);
    }

    // Values that no site records, made of one other value: each use makes them again, so that none stays live for
    // them. That other value is the same at each use, for its definition dominates theirs.
    void find_derived() {
        llvm::DenseSet<llvm::Value *> recorded;
        for (const Site &site : sites_.sites) recorded.insert(site.words.begin(), site.words.end());
        for (const Site &site : sites_.sites)
            for (llvm::Instruction *value : site.recomputed) {
                unsigned variable = 0;
                for (const llvm::Use &operand : value->operands())
                    variable += !llvm::isa<llvm::Constant>(operand) && !is_static_alloca(operand);
                if (variable <= 1 && !recorded.contains(value)) derived_.insert(copy_of(value));
            }
    }

    // Derived values that are made of others come first: what is made for their uses uses those.
    void derive_at_uses() {
        llvm::SmallVector<llvm::Instruction *, 32> waiting(derived_.begin(), derived_.end());
        while (!waiting.empty()) {
            llvm::Instruction *value = waiting.pop_back_val();
            if (!derived_.contains(value)) continue;
            bool ready = true;
            for (llvm::User *user : value->users())
                if (auto *other = llvm::dyn_cast<llvm::Instruction>(user); derived_.contains(other)) {
                    if (ready) waiting.push_back(value);
                    ready = false;
                    waiting.push_back(other);
                }
            if (!ready) continue;
            derived_.remove(value);
            replace_uses(value, [&](llvm::BasicBlock::iterator before) {
                llvm::Instruction *again = value->clone();
                again->setDebugLoc({});
                again->insertBefore(*before->getParent(), before);
                return again;
            });
            value->eraseFromParent();
        }
    }

    // A value of the original, in the block of a site. Allocas are replaced later.
    llvm::Value *remade(llvm::Value *operand, llvm::IRBuilder<> &build) {
        auto *copy = llvm::dyn_cast_or_null<llvm::Instruction>(map_.lookup(operand));
        if (copy == nullptr) return operand;
        if (is_static_alloca(operand)) return copy;
        if (derived_.contains(copy)) return remake(llvm::cast<llvm::Instruction>(operand), build);
        return build.CreateLoad(copy->getType(), slot_of(copy));
    }

    llvm::Instruction *remake(llvm::Instruction *value, llvm::IRBuilder<> &build) {
        llvm::Instruction *again = value->clone();
        for (llvm::Use &operand : again->operands()) operand.set(remade(operand, build));
        again->setDebugLoc({});
        return build.Insert(again);
    }

    void recompute(const Site &site, llvm::IRBuilder<> &build) {
        for (llvm::Instruction *value : site.recomputed) {
            llvm::Instruction *copy = copy_of(value);
            if (!derived_.contains(copy)) build.CreateStore(remake(value, build), slot_of(copy));
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
        auto *block = llvm::BasicBlock::Create(clone_->getContext(), "site", clone_);
        llvm::IRBuilder<> build(block);
        build.SetCurrentDebugLocation(call->getDebugLoc());
        std::vector<llvm::Value *> operands = reload(site, build);
        recompute(site, build);
        if (site.object != nullptr) operands.clear(); // not a site of its own
        llvm::CallInst *next = call_next(*call, build, operands);
        llvm::BasicBlock *rest = llvm::SplitBlock(call->getParent(), call->getNextNode());
        if (!call->getType()->isVoidTy() && !call->use_empty()) build.CreateStore(next, slot_of(call));
        build.CreateBr(rest);
        (site.tail ? tail_choice_ : choice_)->addCase(build.getInt64(number), block);
    }

    llvm::CallInst *call_next(llvm::CallInst &call, llvm::IRBuilder<> &build,
                              const std::vector<llvm::Value *> &operands) {
        auto *type = llvm::FunctionType::get(call.getType(), {build.getPtrTy()}, false);
        llvm::SmallVector<llvm::OperandBundleDef, 1> bundles;
        if (!operands.empty()) bundles.emplace_back("deopt", operands);
        llvm::CallInst *next = build.CreateCall(type, resume_next_, {next_record_}, bundles);
        llvm::AttributeList from = call.getAttributes();
        next->setAttributes(llvm::AttributeList::get(build.getContext(), llvm::AttributeSet(), from.getRetAttrs(), {}));
        if (!operands.empty()) next->addFnAttr(from.getFnAttr("statepoint-id"));
        return next;
    }

    // Every use gets a value made before it; of a phi, at the end of the block that it comes from.
    static void replace_uses(llvm::Instruction *value,
                             llvm::function_ref<llvm::Value *(llvm::BasicBlock::iterator)> make) {
        llvm::SmallVector<llvm::Use *, 16> uses;
        for (llvm::Use &use : value->uses()) uses.push_back(&use);
        llvm::DenseMap<llvm::BasicBlock *, llvm::Value *> at_ends;
        for (llvm::Use *use : uses) {
            auto *user = llvm::cast<llvm::Instruction>(use->getUser());
            auto *phi = llvm::dyn_cast<llvm::PHINode>(user);
            if (phi == nullptr) {
                use->set(make(user->getIterator()));
                continue;
            }
            llvm::BasicBlock *from = phi->getIncomingBlock(*use);
            llvm::Value *&made = at_ends[from];
            if (made == nullptr) made = make(from->getTerminator()->getIterator());
            use->set(made);
        }
    }

    // Every use of the value loads it from the slot, every definition stores it there.
    void use_slot(llvm::Instruction *value, llvm::AllocaInst *slot) {
        replace_uses(value, [&](llvm::BasicBlock::iterator before) {
            return new llvm::LoadInst(value->getType(), slot, "", before);
        });
        auto at = llvm::isa<llvm::PHINode>(value) ? value->getParent()->getFirstInsertionPt()
                                                  : std::next(value->getIterator());
        new llvm::StoreInst(value, slot, at);
    }

    // Of variables in objects the array has the address; where others lie is not known after a resume.
    void describe_objects() {
        if (original_.getSubprogram() == nullptr) return;
        for (unsigned i = 0; i < sites_.allocas.size(); i++) {
            llvm::Instruction *copy = copy_of(sites_.allocas[i]);
            for (llvm::DbgVariableRecord *record : llvm::findDVRDeclares(copy))
                describe_object(i, record->getVariable(), record->getExpression(), record->getDebugLoc());
            for (llvm::DbgDeclareInst *declare : llvm::findDbgDeclares(copy))
                describe_object(i, declare->getVariable(), declare->getExpression(), declare->getDebugLoc());
        }
    }

    void describe_object(unsigned number, llvm::DILocalVariable *variable, llvm::DIExpression *expression,
                         const llvm::DebugLoc &place) {
        llvm::SmallVector<std::uint64_t, 4> address;
        llvm::DIExpression::appendOffset(address, std::int64_t{8} * number);
        address.push_back(llvm::dwarf::DW_OP_deref);
        llvm::DIBuilder build(*clone_->getParent(), false);
        build.insertDeclare(objects_, variable, llvm::DIExpression::prependOpcodes(expression, address), place.get(),
                            entry_->getTerminator());
    }

    // Lifetimes of objects that lie in another frame now, and where variables lay.
    void remove_markers() {
        for (llvm::Instruction &instruction : llvm::make_early_inc_range(llvm::instructions(*clone_))) {
            if (instruction.getParent() == entry_) continue;
            instruction.dropDbgRecords();
            if (instruction.isLifetimeStartOrEnd() || llvm::isa<llvm::DbgInfoIntrinsic>(instruction))
                instruction.eraseFromParent();
        }
    }

    void promote() {
        llvm::DominatorTree tree(*clone_);
        std::vector<llvm::AllocaInst *> slots;
        for (auto &[value, slot] : slots_) slots.push_back(slot);
        llvm::PromoteMemToReg(slots, tree);
    }

    const FunctionSites &sites_;
    llvm::Function &original_;
    const llvm::DataLayout &layout_;
    llvm::Function *clone_ = nullptr;
    llvm::Argument *record_ = nullptr;
    llvm::Value *next_record_ = nullptr, *resume_next_ = nullptr;
    llvm::BasicBlock *entry_ = nullptr, *nowhere_ = nullptr;
    llvm::SwitchInst *choice_ = nullptr, *tail_choice_ = nullptr;
    llvm::ValueToValueMapTy map_;
    llvm::AllocaInst *objects_ = nullptr; // addresses, then floors
    std::vector<llvm::Instruction *> stand_ins_;
    llvm::SetVector<llvm::Instruction *> derived_;
    llvm::MapVector<llvm::Instruction *, llvm::AllocaInst *> slots_;
};

} // namespace

llvm::Function *make_resume_clone(const FunctionSites &sites) {
    return Clone(sites).make();
}

} // namespace hrunc::popcorn
