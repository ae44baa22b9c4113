#include "popcorn/passes/steps.h"

#include <llvm/ADT/MapVector.h>
#include <llvm/ADT/SetVector.h>
#include <llvm/IR/AttributeMask.h>
#include <llvm/IR/DIBuilder.h>
#include <llvm/IR/DebugInfo.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InlineAsm.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/Transforms/Utils/BasicBlockUtils.h>
#include <llvm/Transforms/Utils/Cloning.h>
#include <llvm/Transforms/Utils/Local.h>
#include <llvm/Transforms/Utils/PromoteMemToReg.h>

#include <algorithm>
#include <optional>

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
        copy_record();
        for (unsigned i = 0; i < sites_.sites.size(); i++) name_copy(i);
        find_derived();
        for (unsigned i = 0; i < sites_.sites.size(); i++) sites_.sites[i].tail ? add_tail(i) : add_site(i);
        choose(set_jumps_again(), to_nexts_);
        choose(arrival_, to_sites_);
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
        nowhere_ = llvm::BasicBlock::Create(original_.getContext(), "nowhere", clone_);
        new llvm::UnreachableInst(original_.getContext(), nowhere_);
    }

    // Into the clone's frame. Until the next resume function has given its answer, the copy is what this frame records;
    // objects' addresses and floors, with which it begins, stay there for good. Records of tail calls have no words.
    void copy_record() {
        llvm::IRBuilder<> build(entry_);
        std::size_t most = 0;
        for (const Site &site : sites_.sites) {
            if (!site.tail) most = std::max<std::size_t>(most, fixed_words(sites_) + words_of(site, layout_));
        }
        auto *type = llvm::ArrayType::get(build.getInt64Ty(), kFirstWord + most);
        record_ = new llvm::AllocaInst(type, 0, nullptr, llvm::Align(8), "record", entry_->begin());
        llvm::Type *pointer = build.getPtrTy();
        llvm::Module &module = *clone_->getParent();
        llvm::FunctionCallee copy = module.getOrInsertFunction(kCopyFunction, pointer, pointer, pointer);
        llvm::cast<llvm::Function>(copy.getCallee())->setDSOLocal(true);
        next_record_ = build.CreateCall(copy, {record_, clone_->getArg(0)});
        resume_next_ = load(build, next_record_, pointer, kResumeWord);
        arrival_ = llvm::BasicBlock::Create(clone_->getContext(), "arrival", clone_);
        // Only what is not to be duplicated keeps the code generators from giving each call its own copy of that block.
        auto *nothing = llvm::InlineAsm::get(llvm::FunctionType::get(build.getVoidTy(), false), "", "", true);
        build.SetInsertPoint(arrival_);
        build.CreateCall(nothing)->addFnAttr(llvm::Attribute::Convergent);
        for (const Site &site : sites_.sites)
            for (unsigned place : site.places) takers_[place]++;
    }

    // In the clone, static allocas are objects of another frame.
    void replace_allocas() {
        for (unsigned i = 0; i < sites_.allocas.size(); i++) {
            llvm::Instruction *copy = copy_of(sites_.allocas[i]);
            replace_uses(copy, [&](llvm::BasicBlock::iterator before) {
                llvm::IRBuilder<> build(before->getParent(), before);
                return load(build, record_, copy->getType(), kFirstWord + i);
            });
            copy->eraseFromParent();
        }
    }

    // The bundles of the original's calls name each of its objects; those of the clone the copy of the record.
    void name_copy(unsigned number) {
        const Site &site = sites_.sites[number];
        if (site.tail || site.object != nullptr) return;
        auto *call = llvm::cast<llvm::CallInst>(copy_of(site.call));
        llvm::ArrayRef<llvm::Use> bundle = call->getOperandBundleAt(0).Inputs; // check_supported() lets no others in
        map_[site.call] = with_bundle(call, operands_in_clone(sites_, site, record_, bundle), site_id(sites_, number));
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
        for (auto kind : {llvm::Attribute::NoInline, llvm::Attribute::OptimizeForSize})
            list = list.addFnAttribute(original_.getContext(), kind);
        return list;
    }

    static llvm::Value *word_of(llvm::IRBuilder<> &build, llvm::Value *record, unsigned word) {
        return build.CreateConstInBoundsGEP1_64(build.getInt64Ty(), record, word);
    }

    static llvm::Value *load(llvm::IRBuilder<> &build, llvm::Value *record, llvm::Type *type, unsigned word) {
        return build.CreateAlignedLoad(type, word_of(build, record, word), llvm::Align(8));
    }

    llvm::Instruction *copy_of(llvm::Value *value) { return llvm::cast<llvm::Instruction>(map_.lookup(value)); }

    llvm::AllocaInst *slot_of(llvm::Instruction *copy) {
        llvm::AllocaInst *&slot = slots_[copy];
        if (slot == nullptr) slot = new llvm::AllocaInst(copy->getType(), 0, "", entry_->begin());
        return slot;
    }

    // Takes values of a site from the record and stores them into their slots. What several sites take from one place
    // is taken before the way to them parts: at some of them it may not be in the record, but there it is not used
    // either.
    void reload(const Site &site, llvm::IRBuilder<> &build) {
        for (std::size_t i = 0; i < site.words.size(); i++) {
            llvm::Value *value = site.words[i];
            const unsigned word = kFirstWord + fixed_words(sites_) + site.places[i];
            llvm::Value *taken = nullptr;
            if (takers_[site.places[i]] > 1) {
                llvm::Value *&shared = taken_[site.places[i]];
                if (shared == nullptr) {
                    llvm::IRBuilder<> before(arrival_);
                    shared = load(before, record_, value->getType(), word);
                }
                taken = shared;
            } else {
                taken = load(build, record_, value->getType(), word);
            }
            build.CreateStore(taken, slot_of(copy_of(value)));
        }
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

    // Where the next resume function is called, by the type of its answer and the line that a debugger is to show
    // meanwhile.
    using Answer = std::pair<llvm::Type *, const llvm::DILocation *>;
    using Ways = std::vector<std::pair<unsigned, llvm::BasicBlock *>>; // from a site's number

    // Both ISAs give what fits into a register in the same one, whatever its type. Nobody looks at more of it.
    llvm::Type *answer_type(llvm::Type *type) {
        llvm::Type *word = llvm::Type::getInt64Ty(clone_->getContext());
        bool fits =
            type->isVoidTy() || type->isPointerTy() || (type->isIntegerTy() && type->getIntegerBitWidth() <= 64);
        return fits ? word : type;
    }

    llvm::BasicBlock *next_of(const llvm::CallInst &call) {
        llvm::BasicBlock *&block = nexts_[{answer_type(call.getType()), call.getDebugLoc().get()}];
        if (block != nullptr) return block;
        block = llvm::BasicBlock::Create(clone_->getContext(), "next", clone_, arrival_);
        llvm::IRBuilder<> build(block);
        llvm::CallInst *next = call_next(build, call, answer_type(call.getType()), operands_of_copy(sites_, record_),
                                         site_id(sites_, kCopySite));
        build.CreateStore(next, slot_of(next->getType()));
        build.CreateBr(arrival_);
        return block;
    }

    llvm::CallInst *call_next(llvm::IRBuilder<> &build, const llvm::CallInst &in_place_of, llvm::Type *answer,
                              const std::vector<llvm::Value *> &operands, std::uint64_t id) {
        build.SetCurrentDebugLocation(in_place_of.getDebugLoc());
        auto *type = llvm::FunctionType::get(answer, {build.getPtrTy()}, false);
        llvm::CallInst *next =
            build.CreateCall(type, resume_next_, {next_record_}, llvm::OperandBundleDef("deopt", operands));
        next->addFnAttr(llvm::Attribute::get(build.getContext(), "statepoint-id", std::to_string(id)));
        return next;
    }

    llvm::AllocaInst *slot_of(llvm::Type *answer) {
        llvm::AllocaInst *&slot = answers_[answer];
        if (slot == nullptr) slot = new llvm::AllocaInst(answer, 0, "", entry_->begin());
        return slot;
    }

    void add_site(unsigned number) {
        const Site &site = sites_.sites[number];
        auto *call = llvm::cast<llvm::CallInst>(copy_of(site.call));
        if (site.object == nullptr) to_nexts_.emplace_back(number, next_of(*call));
        auto *block = llvm::BasicBlock::Create(clone_->getContext(), "site", clone_);
        llvm::IRBuilder<> build(block);
        reload(site, build);
        recompute(site, build);
        llvm::BasicBlock *rest = llvm::SplitBlock(call->getParent(), call->getNextNode());
        if (llvm::Type *type = call->getType(); !call->use_empty()) {
            llvm::Value *answer = build.CreateLoad(answer_type(type), slot_of(answer_type(type)));
            if (type->isPointerTy()) answer = build.CreateIntToPtr(answer, type);
            if (type->isIntegerTy()) answer = build.CreateTrunc(answer, type);
            build.CreateStore(answer, slot_of(call));
        }
        build.CreateBr(rest);
        to_sites_.emplace_back(number, block);
    }

    // Where inner frames jump to from now on, as if each setjmp of the function had just been called here. A jump goes
    // on with what its object holds, after the call itself. Gives the block in which the clone goes on.
    llvm::BasicBlock *set_jumps_again() {
        llvm::BasicBlock *end = entry_;
        for (unsigned i = 0; i < sites_.sites.size(); i++) {
            const Site &site = sites_.sites[i];
            if (site.object == nullptr) continue;
            llvm::IRBuilder<> build(end);
            const auto place = std::find(sites_.allocas.begin(), sites_.allocas.end(), site.object);
            const auto word = static_cast<unsigned>(kFirstWord + (place - sites_.allocas.begin()));
            llvm::Value *object = load(build, record_, build.getPtrTy(), word);
            llvm::CallInst *jumped = set_jump_again(build, object);
            auto *back = llvm::BasicBlock::Create(clone_->getContext(), "jumped", clone_, arrival_);
            end = llvm::BasicBlock::Create(clone_->getContext(), "set", clone_, back);
            build.CreateCondBr(build.CreateICmpEQ(jumped, build.getInt32(0)), end, back);
            build.SetInsertPoint(back);
            copy_jump_values(build, object, site, word_of(build, record_, kFirstWord + fixed_words(sites_)));
            build.CreateAlignedStore(build.getInt64(i), word_of(build, record_, kSiteWord), llvm::Align(8));
            build.CreateStore(build.CreateSExt(jumped, build.getInt64Ty()), slot_of(build.getInt64Ty()));
            build.CreateBr(arrival_);
        }
        return end;
    }

    // In the clone it has a frame, and what it gives is given on. One site stands for all of the function.
    void add_tail(unsigned number) {
        const Site &site = sites_.sites[number];
        const bool first = !first_tail_;
        if (first) first_tail_ = number;
        const std::uint64_t id = site_id(sites_, *first_tail_);
        auto *call = llvm::cast<llvm::CallInst>(copy_of(site.call));
        call->setTailCallKind(llvm::CallInst::TCK_None);
        call = with_bundle(call, operands_of(sites_, site), id);
        map_[site.call] = call;
        if (!first) return;
        auto *block = llvm::BasicBlock::Create(clone_->getContext(), "tail", clone_, arrival_);
        llvm::IRBuilder<> build(block);
        llvm::CallInst *next = call_next(build, *call, original_.getReturnType(), operands_of(sites_, site), id);
        next->setAttributes(next->getAttributes().addRetAttributes(
            build.getContext(), llvm::AttrBuilder(build.getContext(), original_.getAttributes().getRetAttrs())));
        original_.getReturnType()->isVoidTy() ? build.CreateRetVoid() : build.CreateRet(next);
        to_nexts_.emplace_back(number, block);
    }

    void choose(llvm::BasicBlock *at, const Ways &ways) {
        llvm::IRBuilder<> build(at);
        auto is_first = [&](auto &way) { return way.second == ways[0].second; };
        if (std::all_of(ways.begin(), ways.end(), is_first)) {
            build.CreateBr(ways.empty() ? nowhere_ : ways[0].second);
            return;
        }
        llvm::Value *number = load(build, record_, build.getInt64Ty(), kSiteWord);
        auto *choice = build.CreateSwitch(number, nowhere_, static_cast<unsigned>(ways.size()));
        for (auto [site, block] : ways) choice->addCase(build.getInt64(site), block);
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

    // Of variables in objects the record has the address; where others lie is not known after a resume.
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
        llvm::DIExpression::appendOffset(address, std::int64_t{8} * (kFirstWord + number));
        address.push_back(llvm::dwarf::DW_OP_deref);
        llvm::DIBuilder build(*clone_->getParent(), false);
        build.insertDeclare(record_, variable, llvm::DIExpression::prependOpcodes(expression, address), place.get(),
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
        for (auto &[type, slot] : answers_) slots.push_back(slot);
        llvm::PromoteMemToReg(slots, tree);
    }

    const FunctionSites &sites_;
    llvm::Function &original_;
    const llvm::DataLayout &layout_;
    llvm::Function *clone_ = nullptr;
    llvm::AllocaInst *record_ = nullptr; // the copy
    llvm::Value *next_record_ = nullptr, *resume_next_ = nullptr;
    llvm::BasicBlock *entry_ = nullptr, *nowhere_ = nullptr;
    llvm::BasicBlock *arrival_ = nullptr; // where the next resume function has given its answer
    Ways to_nexts_, to_sites_;
    llvm::DenseMap<unsigned, unsigned> takers_; // sites that record something at a place
    llvm::DenseMap<unsigned, llvm::Value *> taken_;
    llvm::MapVector<llvm::Type *, llvm::AllocaInst *> answers_;
    llvm::DenseMap<Answer, llvm::BasicBlock *> nexts_;
    std::optional<unsigned> first_tail_;
    llvm::ValueToValueMapTy map_;
    std::vector<llvm::Instruction *> stand_ins_;
    llvm::SetVector<llvm::Instruction *> derived_;
    llvm::MapVector<llvm::Instruction *, llvm::AllocaInst *> slots_;
};

} // namespace

llvm::Function *make_resume_clone(const FunctionSites &sites) {
    return Clone(sites).make();
}

} // namespace hrunc::popcorn
