#include "recode/transform/portable_state.h"

#include <fmt/format.h>

#include <map>

#include "popcorn/abi.h"

namespace hrunc::recode {

namespace {

Error refused(std::string text) {
    return Error(ErrorCode::kRefused, std::move(text));
}

Result<popcorn_process> read_process(std::uint64_t address, DumpedMemory &memory) {
    HRUNC_ASSIGN_IN(popcorn_process process, memory.read<popcorn_process>(address), "struct popcorn_process");
    if (process.magic != POPCORN_PROCESS_MAGIC || process.size < sizeof process)
        return Error(ErrorCode::kInvalid, fmt::format("struct popcorn_process at {:#x} is overwritten", address));
    if (process.version != POPCORN_ABI_VERSION)
        return refused(
            fmt::format("its portable ABI is version {}; this hrunc knows {}", process.version, POPCORN_ABI_VERSION));
    if (process.notify != POPCORN_PARK || process.state != POPCORN_PARKED)
        return refused("not at a migration point: checkpoint it through hrunc");
    return process;
}

// By thread id, with the address of each.
Result<std::map<std::uint32_t, std::pair<std::uint64_t, popcorn_thread>>>
read_threads(const popcorn_process &process, std::size_t count, DumpedMemory &memory) {
    std::map<std::uint32_t, std::pair<std::uint64_t, popcorn_thread>> threads;
    std::uint64_t address = process.first;
    for (std::size_t steps = 0; address != 0; ++steps) {
        if (steps >= count)
            return refused(fmt::format("its list has more than the {} threads that were dumped", count));
        HRUNC_ASSIGN_IN(popcorn_thread thread, memory.read<popcorn_thread>(address),
                        fmt::format("thread record {}", steps + 1));
        if (thread.state != POPCORN_PARKED) return refused(fmt::format("thread {} is not parked", thread.tid));
        threads.insert_or_assign(thread.tid, std::pair(address, thread));
        address = thread.next;
    }
    return threads;
}

// The registers in which a thread enters the runtime: all that are not named are zero.
ThreadState entering(std::uint64_t entry, std::uint64_t address, const popcorn_thread &thread, arch::Isa to) {
    ThreadState state;
    state.keep_restorers = true;
    state.tls = thread.pointer;
    if (to == arch::Isa::kX8664) {
        state.regs.x86_64.rip = entry;
        state.regs.x86_64.rsp = thread.resume_sp;
        state.regs.x86_64.rdi = address;
    } else {
        state.regs.aarch64.pc = entry;
        state.regs.aarch64.sp = thread.resume_sp;
        state.regs.aarch64.x[0] = address;
    }
    return state;
}

} // namespace

Result<std::vector<ThreadState>> portable_states(std::uint64_t address, const std::vector<std::uint32_t> &threads,
                                                 DumpedMemory &memory, arch::Isa to) {
    HRUNC_ASSIGN(popcorn_process process, read_process(address, memory));
    HRUNC_ASSIGN(auto known, read_threads(process, threads.size(), memory));
    std::vector<ThreadState> states;
    for (std::uint32_t tid : threads) {
        auto thread = known.find(tid);
        if (thread == known.end()) return refused(fmt::format("thread {} is in no record of its program", tid));
        states.push_back(entering(process.resume_entry, thread->second.first, thread->second.second, to));
    }
    return states;
}

} // namespace hrunc::recode
