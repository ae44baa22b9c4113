// What an ABI needs of a running process: its executable, and words of its memory. Both are the container's, and
// hostile.
#pragma once

#include <cstdint>
#include <optional>

#include "base/fd.h"
#include "base/result.h"
#include "recode/elf.h"
#include "shim/process.h"

namespace hrunc::shim {

// Errors: kRefused where reading the file could wait for the container itself (a file system in user space).
Result<Fd> open_executable(const Process &process);
// What is to be added to the addresses of a symbol table; 0 unless the executable is position-independent.
Result<std::uint64_t> load_bias(const Process &process, const recode::Elf &elf);
// Whether the whole range is private and can be written by the process, so that a write changes nothing but its memory.
Result<bool> is_private_data(const Process &process, std::uint64_t address, std::uint64_t size);

// process_vm_readv(2) and process_vm_writev(2), which obey the protection of the pages: a remapped range cannot lead a
// write into what the program itself could not write. False: the process is gone.
Result<bool> read_memory(const Process &process, std::uint64_t address, void *out, std::size_t size);
Result<bool> write_memory(const Process &process, std::uint64_t address, const void *bytes, std::size_t size);

// Nothing: the process is gone.
template <typename Word> Result<std::optional<Word>> read_word(const Process &process, std::uint64_t address) {
    Word word{};
    HRUNC_ASSIGN(bool there, read_memory(process, address, &word, sizeof word));
    return there ? std::optional<Word>(word) : std::nullopt;
}
template <typename Word> Result<bool> write_word(const Process &process, std::uint64_t address, Word value) {
    return write_memory(process, address, &value, sizeof value);
}

} // namespace hrunc::shim
