// The steps of instrument(), in their order. Internal to popcorn/passes.
#pragma once

#include "popcorn/passes/capture.h"

#include <llvm/ADT/DenseMap.h>
#include <llvm/ADT/DenseSet.h>
#include <llvm/ADT/SmallVector.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/Module.h>

#include <cstdint>
#include <vector>

namespace hrunc::popcorn {

// --- prepare.cpp: the module without what later steps cannot handle.

// Puts static allocas in front of all else in the entry block, which later steps split.
void gather_allocas(llvm::Module &module);

// Takes stack pointers that variable-length arrays have saved out of memory: they are taken anew after a move.
void promote_stack_tokens(llvm::Module &module);

// kRefused where a function holds what cannot be captured.
Result<void> check_supported(const llvm::Module &module);

// --- reach.cpp: what can call what.

class CallGraph {
  public:
    explicit CallGraph(llvm::Module &module);

    // Whether a migration point may be reached in this call.
    bool may_capture(const llvm::CallBase &call) const;
    // Whether one may be reached in this function.
    bool may_capture(const llvm::Function &function) const { return reaching_.contains(&function); }
    // Whether the function that makes the call may be called in it once more.
    bool may_come_back(const llvm::CallBase &call) const;
    // Functions of which each cycle of calls holds at least one.
    const std::vector<llvm::Function *> &cycle_heads() const { return cycle_heads_; }

  private:
    void collect(llvm::Module &module);
    void find_reaching(llvm::Module &module);
    void find_cycles(llvm::Module &module);

    // Nodes are functions, and the types of functions whose address is taken.
    using Node = const void *;
    llvm::DenseMap<Node, llvm::SmallVector<Node, 4>> callees_;
    llvm::DenseMap<Node, llvm::SmallVector<Node, 4>> callers_;
    llvm::DenseSet<Node> reaching_;
    llvm::DenseMap<Node, unsigned> components_; // equal for nodes of which each leads to the other
    std::vector<llvm::Function *> pointed_at_;
    std::vector<llvm::Function *> cycle_heads_;
};

// --- poll.cpp

// Adds polls to loops and to the heads of cycles of calls. Gives their number.
unsigned insert_polls(llvm::Module &module, const CaptureOptions &options);

// --- live.cpp

// Values that are live after each of these calls, without the call itself: no static allocas, no tokens. In the order
// of the function's arguments and instructions.
std::vector<std::vector<llvm::Value *>> live_across(llvm::Function &function,
                                                    const llvm::SmallVectorImpl<llvm::CallInst *> &calls);

bool is_stack_save(const llvm::Value *value);
bool is_static_alloca(const llvm::Value *value);

// --- simplify.cpp

// What code generators do, too, but not to what these calls record: a choice between one value and itself is that
// value, and addresses at a constant distance from another are computed where they are used, each time, so that the
// other is recorded in place of all of them.
void simplify_values(llvm::Function &function, const llvm::SmallVectorImpl<llvm::CallInst *> &calls);

// --- sites.cpp, normalise.cpp: bundles.

// One site of a function, as its bundle and its frame record have it.
struct Site {
    llvm::CallInst *call = nullptr;
    llvm::AllocaInst *object = nullptr; // of a setjmp, see jumps.cpp; the call has no bundle
    // Jumped to in the function; only the clone has a frame here, which holds nothing. All of a function are one site.
    bool tail = false;
    std::vector<llvm::Value *> words; // recorded values, after the static allocas and floors
    std::vector<unsigned> places;     // the first word of each, from there on; ascending. Other words hold nothing
    std::vector<llvm::Instruction *> recomputed;  // made again from recorded ones, in an order that works
    std::vector<llvm::Instruction *> stack_saves; // taken anew
};

struct FunctionSites {
    llvm::Function *function = nullptr;
    std::uint32_t number = 0;
    std::vector<llvm::AllocaInst *> allocas; // static; recorded at every site
    bool floors = false;                     // has dynamic allocas: two words of floors follow the allocas
    std::vector<Site> sites;
};

// Sorts the values that are live across the call into recorded and recomputed ones and stack saves.
void sort_live_values(Site &site, const std::vector<llvm::Value *> &live);

// Gives each recorded value its place, the same one at all sites of the function, so that the clone has to take it from
// there once.
void place_values(FunctionSites &sites);

// Words that a value takes in a frame record; all of those of a site after the fixed ones.
unsigned words_of(llvm::Type *type, const llvm::DataLayout &layout);
unsigned words_of(const Site &site, const llvm::DataLayout &layout);

// Gives recorded values types that both back ends keep in registers: those of 32, 64 and 128 bits.
void normalise_values(llvm::Function &function, const llvm::SmallVectorImpl<llvm::CallInst *> &calls);

std::uint64_t site_id(const FunctionSites &sites, std::size_t index);
// Of the calls that the clone begins with: the copy of the record tells the site.
inline constexpr std::uint32_t kCopySite = 0xffffffff;

// Words of the objects' addresses and the floors, with which each record begins.
unsigned fixed_words(const FunctionSites &sites);

// The operands of a site's bundle, as site_table.h describes them; those in the clone, made of the copy of the bundle,
// where objects' addresses and floors are in the copy of the record that the clone was called with; and those of the
// calls that the clone begins with.
std::vector<llvm::Value *> operands_of(const FunctionSites &sites, const Site &site);
std::vector<llvm::Value *> operands_in_clone(const FunctionSites &sites, const Site &site, llvm::AllocaInst *copy,
                                             llvm::ArrayRef<llvm::Use> bundle);
std::vector<llvm::Value *> operands_of_copy(const FunctionSites &sites, llvm::AllocaInst *copy);

// Replaces the call by the same with a bundle.
llvm::CallInst *with_bundle(llvm::CallInst *call, const std::vector<llvm::Value *> &operands, std::uint64_t id);

// Attaches the bundles of a function that has at least one call that may capture.
FunctionSites attach_bundles(llvm::Function &function, std::uint32_t number, const CallGraph &graph);

// --- jumps.cpp

bool is_setjmp(const llvm::CallBase &call);

// The object of a setjmp, one of the function's allocas from now on.
void add_jump_object(FunctionSites &sites, Site &site);

// Writes its values before the call, and its address into the jmp_buf.
void fill_jump_object(const FunctionSites &sites, std::size_t index);

// In the clone: the call that longjmp comes back from, and then the way of the values to their places in a record.
llvm::CallInst *set_jump_again(llvm::IRBuilder<> &build, llvm::Value *object);
void copy_jump_values(llvm::IRBuilder<> &build, llvm::Value *object, const Site &site, llvm::Value *to);

// --- resume.cpp

// Makes the clone NAME.resume.
llvm::Function *make_resume_clone(const FunctionSites &sites);

} // namespace hrunc::popcorn
