#include "tests/unit/popcorn/tracee.h"

#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <iterator>

namespace hrunc::popcorn {
namespace {

Result<void> trace(int request, pid_t pid, void *address, void *data, const char *act) {
    if (ptrace(static_cast<__ptrace_request>(request), pid, address, data) != 0) return Error::system(act);
    return {};
}

void *as_data(std::uintptr_t value) {
    return reinterpret_cast<void *>(value); // NOLINT(performance-no-int-to-ptr): what ptrace takes
}

template <typename T> Result<void> get_set(int request, pid_t pid, std::uintptr_t kind, T &regs) {
    iovec vector{&regs, sizeof regs};
    return trace(request, pid, as_data(kind), &vector, "read or write registers");
}

} // namespace

Result<std::map<std::string, ElfSymbol>> symbols_of(const std::string &executable) {
    std::ifstream file(executable, std::ios::binary);
    std::string bytes(std::istreambuf_iterator<char>(file), {});
    if (bytes.size() < sizeof(Elf64_Ehdr)) return Error(ErrorCode::kInvalid, "'" + executable + "' is no ELF file");
    auto at = [&](auto &value, std::size_t offset) { std::memcpy(&value, bytes.data() + offset, sizeof value); };
    Elf64_Ehdr head;
    at(head, 0);
    std::map<std::string, ElfSymbol> found;
    for (unsigned i = 0; i < head.e_shnum; i++) {
        Elf64_Shdr table, strings;
        at(table, head.e_shoff + i * sizeof table);
        if (table.sh_type != SHT_SYMTAB) continue;
        at(strings, head.e_shoff + table.sh_link * sizeof table);
        for (std::size_t offset = 0; offset < table.sh_size; offset += sizeof(Elf64_Sym)) {
            Elf64_Sym symbol;
            at(symbol, table.sh_offset + offset);
            found[bytes.data() + strings.sh_offset + symbol.st_name] = {symbol.st_value, symbol.st_size};
        }
    }
    return found;
}

Result<Tracee> Tracee::start(const std::vector<std::string> &command, const std::string &output) {
    HRUNC_ASSIGN(auto symbols, symbols_of(command[0]));
    std::vector<char *> arguments;
    arguments.reserve(command.size() + 1);
    for (const std::string &argument : command) arguments.push_back(const_cast<char *>(argument.c_str()));
    arguments.push_back(nullptr);
    pid_t pid = fork();
    if (pid < 0) return Error::system("fork");
    if (pid == 0) {
        int fd = open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
        dup2(fd, 1);
        dup2(fd, 2);
        if (fd > 2) close(fd);
        raise(SIGSTOP);
        execv(arguments[0], arguments.data());
        _exit(127);
    }
    Tracee tracee(pid, std::move(symbols));
    int status = 0;
    if (waitpid(pid, &status, WUNTRACED) != pid) return Error::system("wait for the start");
    HRUNC_TRY(trace(PTRACE_SEIZE, pid, nullptr, as_data(PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL), "seize"));
    kill(pid, SIGCONT);
    for (;;) {
        HRUNC_ASSIGN(status, tracee.wait_for_stop());
        if (status >> 16 == PTRACE_EVENT_EXEC) return tracee;
        HRUNC_TRY(tracee.go_on());
    }
}

Result<Tracee> Tracee::attach(pid_t pid, const std::string &executable) {
    HRUNC_ASSIGN(auto symbols, symbols_of(executable));
    Tracee tracee(pid, std::move(symbols));
    tracee.is_child_ = false;
    HRUNC_TRY(trace(PTRACE_SEIZE, pid, nullptr, nullptr, "seize"));
    HRUNC_TRY(tracee.stop());
    return tracee;
}

Tracee::Tracee(Tracee &&other) noexcept
    : pid_(other.pid_), is_child_(other.is_child_), symbols_(std::move(other.symbols_)) {
    other.pid_ = 0;
}

Tracee::~Tracee() {
    if (pid_ == 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, __WALL);
}

Result<int> Tracee::wait_for_stop() {
    int status = 0;
    if (waitpid(pid_, &status, __WALL) != pid_) return Error::system("wait");
    if (WIFSTOPPED(status)) return status;
    pid_ = 0;
    return Error(ErrorCode::kPeer, "the program ended with wait status " + std::to_string(status));
}

Result<void> Tracee::go_on() {
    return trace(PTRACE_CONT, pid_, nullptr, nullptr, "continue");
}

Result<void> Tracee::detach() {
    HRUNC_TRY(trace(PTRACE_DETACH, pid_, nullptr, nullptr, "detach"));
    if (!is_child_) pid_ = 0;
    return {};
}

Result<void> Tracee::stop() {
    HRUNC_TRY(trace(PTRACE_INTERRUPT, pid_, nullptr, nullptr, "interrupt"));
    for (;;) {
        HRUNC_ASSIGN(int status, wait_for_stop());
        if (status >> 16 == PTRACE_EVENT_STOP) return {};
        HRUNC_TRY(trace(PTRACE_CONT, pid_, nullptr, as_data(static_cast<unsigned>(WSTOPSIG(status))), "continue"));
    }
}

Result<void> Tracee::ask(std::int64_t target) {
    return write_word(POPCORN_SYMBOL_VARIABLE, target);
}

Result<bool> Tracee::is_parked(int status) const {
    if (WSTOPSIG(status) != SIGALRM || status >> 16 != 0) return false;
    siginfo_t information;
    HRUNC_TRY(trace(PTRACE_GETSIGINFO, pid_, nullptr, &information, "read the signal"));
    HRUNC_ASSIGN(auto variable, read<std::int64_t>(POPCORN_SYMBOL_VARIABLE));
    return variable == POPCORN_NONE && information.si_code == SI_TKILL && information.si_pid == pid_;
}

Result<void> Tracee::run_until_parked() {
    HRUNC_TRY(go_on());
    for (;;) {
        HRUNC_ASSIGN(int status, wait_for_stop());
        HRUNC_ASSIGN(bool parked, is_parked(status));
        if (parked) return {};
        unsigned number = status >> 16 == 0 ? static_cast<unsigned>(WSTOPSIG(status)) : 0;
        HRUNC_TRY(trace(PTRACE_CONT, pid_, nullptr, as_data(number), "continue"));
    }
}

Result<int> Tracee::wait_for_end() {
    for (;;) {
        int status = 0;
        if (waitpid(pid_, &status, __WALL) != pid_) return Error::system("wait for the end");
        if (WIFSTOPPED(status)) {
            unsigned number = status >> 16 == 0 ? static_cast<unsigned>(WSTOPSIG(status)) : 0;
            HRUNC_TRY(trace(PTRACE_CONT, pid_, nullptr, as_data(number), "continue"));
            continue;
        }
        pid_ = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }
}

Result<ElfSymbol> Tracee::symbol(const std::string &name) const {
    auto found = symbols_.find(name);
    if (found == symbols_.end()) return Error(ErrorCode::kInvalid, "the program has no symbol " + name);
    return found->second;
}

Result<void> Tracee::read_memory(std::uint64_t address, void *bytes, std::size_t size) const {
    iovec local{bytes, size}, remote{as_data(address), size};
    if (process_vm_readv(pid_, &local, 1, &remote, 1, 0) != static_cast<ssize_t>(size))
        return Error::system("read the program's memory");
    return {};
}

Result<void> Tracee::read_bytes(const std::string &name, void *bytes, std::size_t size) const {
    HRUNC_ASSIGN(auto found, symbol(name));
    return read_memory(found.address, bytes, size);
}

Result<void> Tracee::write_word(const std::string &name, std::int64_t value, std::uint64_t offset) const {
    HRUNC_ASSIGN(auto found, symbol(name));
    iovec local{&value, sizeof value}, remote{as_data(found.address + offset), sizeof value};
    if (process_vm_writev(pid_, &local, 1, &remote, 1, 0) != static_cast<ssize_t>(sizeof value))
        return Error::system("write to the program's memory");
    return {};
}

#if defined(__x86_64__)

Result<void> Tracee::take_registers() {
    HRUNC_ASSIGN(auto from, read<popcorn_regs>(POPCORN_SYMBOL_REGS));
    HRUNC_ASSIGN(auto tls, read<std::uint64_t>(POPCORN_SYMBOL_TLS));
    const popcorn_regs_x86_64 &regs = from.x86_64;
    if (regs.magic != POPCORN_MAGIC_X86_64) return Error(ErrorCode::kInvalid, "regs_dst is not for x86-64");
    user_regs_struct to{};
    HRUNC_TRY(get_set(PTRACE_GETREGSET, pid_, NT_PRSTATUS, to));
    to.rax = regs.rax, to.rdx = regs.rdx, to.rcx = regs.rcx, to.rbx = regs.rbx;
    to.rsi = regs.rsi, to.rdi = regs.rdi, to.rbp = regs.rbp, to.rsp = regs.rsp;
    to.r8 = regs.r8, to.r9 = regs.r9, to.r10 = regs.r10, to.r11 = regs.r11;
    to.r12 = regs.r12, to.r13 = regs.r13, to.r14 = regs.r14, to.r15 = regs.r15;
    to.rip = regs.rip, to.eflags = regs.rflags, to.fs_base = tls;
    to.orig_rax = ~0ULL; // no system call to restart
    HRUNC_TRY(get_set(PTRACE_SETREGSET, pid_, NT_PRSTATUS, to));
    user_fpregs_struct floats{};
    HRUNC_TRY(get_set(PTRACE_GETREGSET, pid_, NT_PRFPREG, floats));
    std::memcpy(floats.xmm_space, regs.xmm, sizeof regs.xmm);
    return get_set(PTRACE_SETREGSET, pid_, NT_PRFPREG, floats);
}

#else

Result<void> Tracee::take_registers() {
    HRUNC_ASSIGN(auto from, read<popcorn_regs>(POPCORN_SYMBOL_REGS));
    HRUNC_ASSIGN(auto tls, read<std::uint64_t>(POPCORN_SYMBOL_TLS));
    const popcorn_regs_aarch64 &regs = from.aarch64;
    if (regs.magic != POPCORN_MAGIC_AARCH64) return Error(ErrorCode::kInvalid, "regs_dst is not for aarch64");
    user_regs_struct to{};
    HRUNC_TRY(get_set(PTRACE_GETREGSET, pid_, NT_PRSTATUS, to));
    std::memcpy(to.regs, regs.x, sizeof regs.x);
    to.sp = regs.sp, to.pc = regs.pc;
    HRUNC_TRY(get_set(PTRACE_SETREGSET, pid_, NT_PRSTATUS, to));
    user_fpsimd_struct floats{};
    HRUNC_TRY(get_set(PTRACE_GETREGSET, pid_, NT_PRFPREG, floats));
    std::memcpy(floats.vregs, regs.v, sizeof regs.v);
    HRUNC_TRY(get_set(PTRACE_SETREGSET, pid_, NT_PRFPREG, floats));
    int no_call = -1; // no system call to restart
    HRUNC_TRY(get_set(PTRACE_SETREGSET, pid_, NT_ARM_SYSTEM_CALL, no_call));
    return get_set(PTRACE_SETREGSET, pid_, NT_ARM_TLS, tls);
}

#endif

} // namespace hrunc::popcorn
