#include "recode/transform/popcorn_state.h"

#include "recode/transform/float_control.h"

namespace hrunc::recode {

namespace {

// What the kernel gives a 64-bit task (arch/x86/include/asm/segment.h: __USER_CS, __USER_DS), and what no program
// chooses: no system call to restart, interrupts on.
constexpr std::uint64_t kUserCs = 0x33, kUserSs = 0x2b, kNoSystemCall = ~std::uint64_t{0};
constexpr std::uint64_t kFixedFlags = 0x202, kProgramFlags = 0xcd5; // CF PF AF ZF SF DF OF
constexpr std::uint32_t kMxcsrMask = 0xffff;
constexpr std::uint32_t kNativeMode = 1;

void add_words(google::protobuf::RepeatedField<std::uint32_t> *words, const popcorn_u128 &value) {
    for (std::uint64_t half : {value.low, value.high}) {
        words->Add(static_cast<std::uint32_t>(half));
        words->Add(static_cast<std::uint32_t>(half >> 32));
    }
}

void set_x86_registers(images::X86Registers &out, const popcorn_regs_x86_64 &regs, std::uint64_t tls) {
    out.set_r15(regs.r15);
    out.set_r14(regs.r14);
    out.set_r13(regs.r13);
    out.set_r12(regs.r12);
    out.set_rbp(regs.rbp);
    out.set_rbx(regs.rbx);
    out.set_r11(regs.r11);
    out.set_r10(regs.r10);
    out.set_r9(regs.r9);
    out.set_r8(regs.r8);
    out.set_rax(regs.rax);
    out.set_rcx(regs.rcx);
    out.set_rdx(regs.rdx);
    out.set_rsi(regs.rsi);
    out.set_rdi(regs.rdi);
    out.set_orig_rax(kNoSystemCall);
    out.set_rip(regs.rip);
    out.set_cs(kUserCs);
    out.set_flags((regs.rflags & kProgramFlags) | kFixedFlags);
    out.set_rsp(regs.rsp);
    out.set_ss(kUserSs);
    out.set_fs_base(tls);
    out.set_gs_base(0);
    out.set_ds(0);
    out.set_es(0);
    out.set_fs(0);
    out.set_gs(0);
    out.set_mode(kNativeMode);
}

void set_x86_float(images::X86FloatingPoint &out, const popcorn_regs_x86_64 &regs, const X86FloatControl &control) {
    out.set_control(control.control);
    out.set_status(control.status);
    out.set_tag(0); // all empty
    out.set_opcode(0);
    out.set_instruction(0);
    out.set_data(0);
    out.set_mxcsr(control.mxcsr);
    out.set_mxcsr_mask(kMxcsrMask);
    for (const popcorn_u128 &value : regs.x87) add_words(out.mutable_st(), value);
    for (const popcorn_u128 &value : regs.xmm) add_words(out.mutable_xmm(), value);
}

images::X86Thread x86_thread(const popcorn_regs_x86_64 &regs, std::uint64_t tls, const images::Aarch64Thread &from) {
    images::X86Thread thread;
    thread.set_clear_tid_address(from.clear_tid_address());
    set_x86_registers(*thread.mutable_registers(), regs, tls);
    const auto &control = from.floating_point();
    set_x86_float(*thread.mutable_floating_point(), regs, to_x86({control.fpcr(), control.fpsr()}));
    return thread;
}

images::Aarch64Thread aarch64_thread(const popcorn_regs_aarch64 &regs, std::uint64_t tls,
                                     const images::X86Thread &from) {
    images::Aarch64Thread thread;
    thread.set_clear_tid_address(from.clear_tid_address());
    thread.set_tls(tls);
    images::Aarch64Registers &registers = *thread.mutable_registers();
    for (std::uint64_t value : regs.x) registers.add_x(value);
    registers.set_sp(regs.sp);
    registers.set_pc(regs.pc);
    registers.set_pstate(0); // EL0, no condition set
    images::Aarch64FloatingPoint &floating = *thread.mutable_floating_point();
    for (const popcorn_u128 &value : regs.v) {
        floating.add_v(value.low);
        floating.add_v(value.high);
    }
    const auto &old_control = from.floating_point();
    Aarch64FloatControl control = to_aarch64({old_control.control(), old_control.status(), old_control.mxcsr()});
    floating.set_fpsr(control.fpsr);
    floating.set_fpcr(control.fpcr);
    return thread;
}

} // namespace

Result<arch::Isa> parked_for(const popcorn_regs &regs) {
    if (regs.magic == POPCORN_MAGIC_AARCH64) return arch::Isa::kAarch64;
    if (regs.magic == POPCORN_MAGIC_X86_64) return arch::Isa::kX8664;
    return Error(ErrorCode::kRefused, "not at a migration point: checkpoint it through hrunc");
}

Result<void> set_popcorn_thread(images::Core &core, const popcorn_regs &regs, std::uint64_t tls, arch::Isa to) {
    if (to == arch::Isa::kX8664) {
        if (!core.has_aarch64()) return Error(ErrorCode::kInvalid, "no aarch64 registers");
        *core.mutable_x86() = x86_thread(regs.x86_64, tls, core.aarch64());
    } else {
        if (!core.has_x86()) return Error(ErrorCode::kInvalid, "no x86-64 registers");
        *core.mutable_aarch64() = aarch64_thread(regs.aarch64, tls, core.x86());
    }
    core.set_machine(arch::facts(to).criu_march);
    return {};
}

} // namespace hrunc::recode
