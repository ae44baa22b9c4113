// What LLVM says while it works on a module.
#pragma once

#include <string>

#include <llvm/IR/DiagnosticInfo.h>
#include <llvm/IR/DiagnosticPrinter.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/Support/raw_ostream.h>

namespace hrunc::link {

// From now on, the first error that LLVM reports in the context is written to `problem`, which must be empty and
// outlive the context's use; without this, it would be printed, and end the process. All else that LLVM reports is
// dropped.
inline void keep_first_error(llvm::LLVMContext &context, std::string &problem) {
    context.setDiagnosticHandlerCallBack(
        [](const llvm::DiagnosticInfo *info, void *text) {
            std::string &first = *static_cast<std::string *>(text);
            if (info->getSeverity() != llvm::DS_Error || !first.empty()) return;
            llvm::raw_string_ostream stream(first);
            llvm::DiagnosticPrinterRawOStream printer(stream);
            info->print(printer);
        },
        &problem);
}

} // namespace hrunc::link
