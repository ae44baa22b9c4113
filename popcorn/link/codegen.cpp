#include "popcorn/link/codegen.h"

#include <llvm/Bitcode/BitcodeReader.h>
#include <llvm/CodeGen/MachineFunctionPass.h>
#include <llvm/CodeGen/MachineModuleInfo.h>
#include <llvm/CodeGen/Passes.h>
#include <llvm/CodeGen/TargetPassConfig.h>
#include <llvm/IR/DataLayout.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/CommandLine.h>
#include <llvm/Support/FileSystem.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetOptions.h>

#include "popcorn/link/diagnostics.h"
#include "popcorn/link/live_through.h"
#include "popcorn/passes/capture.h"

namespace hrunc::link {
namespace {

// Whether each call from which the runtime may have to capture became what the pass counts on: one whose return address
// has a site, or a jump.
class CheckCalls : public llvm::MachineFunctionPass {
  public:
    static inline char ID = 0;
    explicit CheckCalls(std::string &problem) : MachineFunctionPass(ID), problem_(problem) {}

    bool runOnMachineFunction(llvm::MachineFunction &function) override {
        if (!problem_.empty() || !function.getFunction().hasFnAttribute(popcorn::kSitesAttribute)) return false;
        for (const llvm::MachineBasicBlock &block : function)
            for (const llvm::MachineInstr &instruction : block) {
                if (instruction.getOpcode() == llvm::TargetOpcode::STATEPOINT) {
                    if (has_lost_value(instruction)) problem_ = function.getName().str() + ": a recorded value is lost";
                } else if (instruction.isCall() && !instruction.isReturn()) {
                    check(function, instruction);
                }
            }
        return false;
    }

  private:
    void check(const llvm::MachineFunction &function, const llvm::MachineInstr &instruction) {
        for (const llvm::MachineOperand &operand : instruction.operands()) {
            const auto *callee = operand.isGlobal() ? llvm::dyn_cast<llvm::Function>(operand.getGlobal()) : nullptr;
            if (callee != nullptr && callee->hasFnAttribute(popcorn::kReachingAttribute))
                problem_ = function.getName().str() + ": its call of " + callee->getName().str() + " has no site";
        }
    }

    std::string &problem_;
};

} // namespace

void start_code_generators() {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
    // With the first two aarch64 would make jump tables of its own, and one variable out of several. The third lets
    // recorded values stay in registers; without the fourth, what is cheap to compute would be put in registers again
    // for each record, and registers run out. The fifth keeps the stack pointer in place during calls. Without the last
    // one aarch64 would make functions that x86-64 does not have.
    const char *options[] = {"popcorn-ld",
                             "-aarch64-enable-atomic-cfg-tidy=false",
                             "-aarch64-enable-global-merge=false",
                             "-use-registers-for-deopt-values",
                             "-restrict-statepoint-remat",
                             "-no-x86-call-frame-opt",
                             "-enable-machine-outliner=never"};
    llvm::cl::ParseCommandLineOptions(static_cast<int>(std::size(options)), options);
}

Result<std::unique_ptr<llvm::TargetMachine>> machine_for(const Isa &isa, unsigned level) {
    std::string problem;
    const llvm::Target *target = llvm::TargetRegistry::lookupTarget(isa.triple, problem);
    if (!target) return Error(ErrorCode::kInternal, std::string(isa.triple) + ": " + problem);
    llvm::TargetOptions options;
    options.FunctionSections = options.DataSections = true;
    options.UniqueSectionNames = true;
    options.UseInitArray = true;
    options.EmulatedTLS = false;
    const llvm::CodeGenOptLevel effort = level == 0   ? llvm::CodeGenOptLevel::None
                                         : level == 1 ? llvm::CodeGenOptLevel::Less
                                         : level == 3 ? llvm::CodeGenOptLevel::Aggressive
                                                      : llvm::CodeGenOptLevel::Default;
    return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
        isa.triple, isa.cpu, "", options, llvm::Reloc::Static, llvm::CodeModel::Small, effort));
}

Result<void> generate(llvm::StringRef bitcode, llvm::TargetMachine &machine, const std::string &path) {
    llvm::LLVMContext context;
    auto parsed = llvm::parseBitcodeFile({bitcode, "program"}, context);
    if (!parsed) return Error(ErrorCode::kInternal, "the module: " + llvm::toString(parsed.takeError()));
    std::string problem;
    keep_first_error(context, problem);
    llvm::Module &module = **parsed;
    module.setTargetTriple(machine.getTargetTriple().str());
    module.setDataLayout(machine.createDataLayout());
    std::error_code code;
    llvm::raw_fd_ostream stream(path, code);
    if (code) return Error::system("\"" + path + "\"", code.value());
    llvm::legacy::PassManager passes;
    // As addPassesToEmitFile() does it, with a check of the functions that are about to be written.
    auto &generator = static_cast<llvm::LLVMTargetMachine &>(machine);
    auto *functions = new llvm::MachineModuleInfoWrapperPass(&generator);
    llvm::TargetPassConfig *config = generator.createPassConfig(passes);
    passes.add(config);
    passes.add(functions);
    if (generator.getOptLevel() != llvm::CodeGenOptLevel::None) record_without_use(*config);
    if (config->addISelPasses()) return Error(ErrorCode::kInternal, machine.getTargetTriple().str() + ": no code");
    config->addMachinePasses();
    config->setInitialized();
    passes.add(new CheckCalls(problem));
    if (generator.addAsmPrinter(passes, stream, nullptr, llvm::CodeGenFileType::ObjectFile,
                                functions->getMMI().getContext()))
        return Error(ErrorCode::kInternal, machine.getTargetTriple().str() + ": writes no objects");
    passes.add(llvm::createFreeMachineFunctionPass());
    passes.run(module);
    if (!problem.empty()) return Error(ErrorCode::kInternal, machine.getTargetTriple().str() + ": " + problem);
    stream.close();
    if (stream.has_error()) return Error::system("\"" + path + "\"", stream.error().value());
    return {};
}

Result<void> check_layouts(const llvm::Module &module, const llvm::TargetMachine &one,
                           const llvm::TargetMachine &other) {
    const llvm::DataLayout first = one.createDataLayout(), second = other.createDataLayout();
    for (llvm::StructType *type : module.getIdentifiedStructTypes()) {
        if (!type->isSized()) continue;
        const llvm::StructLayout *a = first.getStructLayout(type), *b = second.getStructLayout(type);
        if (a->getSizeInBytes() == b->getSizeInBytes() && a->getAlignment() == b->getAlignment() &&
            std::equal(a->getMemberOffsets().begin(), a->getMemberOffsets().end(), b->getMemberOffsets().begin()))
            continue;
        return Error(ErrorCode::kRefused, type->getName().str() + ": its layout differs between the ISAs");
    }
    for (const llvm::GlobalVariable &variable : module.globals())
        if (first.getTypeAllocSize(variable.getValueType()) != second.getTypeAllocSize(variable.getValueType()))
            return Error(ErrorCode::kRefused, variable.getName().str() + ": its size differs between the ISAs");
    return {};
}

} // namespace hrunc::link
