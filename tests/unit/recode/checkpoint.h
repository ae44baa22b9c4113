// A checkpoint of one parked popcorn process, made by hand so that a test can spoil any part of it, with the programs
// of both ISAs that it belongs to.
#pragma once

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/fd.h"
#include "popcorn/abi.h"
#include "popcorn/popcorn_abi.h"
#include "recode/host.h"
#include "recode/image_facts.h"
#include "recode/image_file.h"
#include "recode/images/container.pb.h"
#include "recode/images/core.pb.h"
#include "recode/images/files.pb.h"
#include "recode/images/inventory.pb.h"
#include "recode/images/memory.pb.h"
#include "recode/memory.h"
#include "recode/recode.h"

namespace hrunc::recode::testing_support {

inline constexpr std::uint64_t kPage = 4096;
inline constexpr std::uint64_t kText = 0x410000, kData = 0x430000, kBss = 0x431000, kStack = 0x1000000000;
inline constexpr std::uint64_t kRegs = kBss, kTls = kBss + kPage, kSigreturn = kText + 0x10, kEntry = kText + 0x20;
inline constexpr std::uint32_t kPid = 7;

// A program with the ABI's symbols and a build id, its code being nothing that runs.
struct Program {
    Elf64_Ehdr header{};
    Elf64_Phdr segments[4]{};
    Elf64_Shdr sections[3]{};
    Elf64_Sym symbols[5]{};
    char strings[64]{};
    Elf64_Nhdr note{4, 8, NT_GNU_BUILD_ID};
    char owner[4] = "GNU";
    char build_id[8];
    Elf64_Nhdr portable_note{sizeof POPCORN_NOTE_OWNER, 8, POPCORN_NOTE_PROCESS};
    char portable_owner[8] = POPCORN_NOTE_OWNER;
    std::uint32_t portable_process[2] = {static_cast<std::uint32_t>(kBss), 0};

    // A program of the portable ABI has no symbols, and a second note: its process is at kBss.
    void make_portable() {
        std::memset(symbols, 0, sizeof symbols);
        std::memset(strings, 0, sizeof strings);
        segments[3].p_filesz = segments[3].p_memsz = 52;
    }
    Program(arch::Isa isa, const char (&id)[9], std::uint64_t regs = kRegs) {
        std::memcpy(build_id, id, 8);
        std::memcpy(header.e_ident, ELFMAG, SELFMAG);
        header.e_ident[EI_CLASS] = ELFCLASS64;
        header.e_ident[EI_DATA] = ELFDATA2LSB;
        header.e_ident[EI_VERSION] = EV_CURRENT;
        header.e_machine = arch::facts(isa).elf_machine;
        header.e_type = ET_EXEC;
        header.e_phoff = offsetof(Program, segments);
        header.e_phnum = 4;
        header.e_phentsize = sizeof(Elf64_Phdr);
        header.e_shoff = offsetof(Program, sections);
        header.e_shnum = 3;
        header.e_shentsize = sizeof(Elf64_Shdr);
        segments[0] = {PT_LOAD, PF_R, 0, kText - kPage, 0, sizeof(Program), sizeof(Program), kPage};
        segments[1] = {PT_LOAD, PF_R | PF_X, 0, kText, 0, sizeof(Program), kPage, kPage};
        segments[2] = {PT_LOAD, PF_R | PF_W, 0, kData, 0, sizeof(Program), 3 * kPage, kPage};
        segments[3] = {PT_NOTE, PF_R, offsetof(Program, note), 0, 0, 24, 24, 4};
        add_symbol(1, POPCORN_SYMBOL_VARIABLE, kData + 8, 8);
        add_symbol(2, POPCORN_SYMBOL_REGS, regs, sizeof(popcorn_regs));
        add_symbol(3, POPCORN_SYMBOL_TLS, kTls, 8);
        add_symbol(4, POPCORN_SYMBOL_SIGRETURN, kSigreturn, 8);
        sections[1] = {0, SHT_SYMTAB, 0, 0, offsetof(Program, symbols), sizeof symbols, 2, 0, 8, sizeof(Elf64_Sym)};
        sections[2] = {0, SHT_STRTAB, 0, 0, offsetof(Program, strings), sizeof strings, 0, 0, 1, 0};
    }
    void add_symbol(int index, const char *name, std::uint64_t address, std::uint64_t size) {
        std::size_t at = 1;
        while (strings[at] != '\0') at += std::strlen(strings + at) + 1;
        std::strcpy(strings + at, name);
        symbols[index] = {static_cast<Elf64_Word>(at), ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), 0, 1, address, size};
    }
    void write(const std::filesystem::path &path) const {
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char *>(this), sizeof *this);
        std::filesystem::permissions(path, std::filesystem::perms{0755});
    }
};

// A host of the ISA with a vdso that no kernel has.
inline Host handmade_host(arch::Isa isa) {
    Host host;
    host.isa = isa;
    host.address_limit = arch::facts(isa).address_limit;
    host.last_capability = 40;
    host.kernel_areas = {{KernelArea::Kind::kVvar, 2 * kPage}, {KernelArea::Kind::kVdso, kPage}};
    Program vdso(isa, "the-vdso");
    host.vdso.assign(reinterpret_cast<const char *>(&vdso), sizeof vdso);
    host.vdso.resize(kPage);
    host.hwcap = isa == arch::Isa::kX8664 ? 0x1111 : 0x2222;
    host.hwcap2 = 3;
    host.minimum_signal_stack = 4720;
    host.kernel_release = "6.1.0";
    host.kernel_directories = {{"/proc", {"kcore", "keys", "sys"}}, {"/sys", {"firmware"}}};
    return host;
}

struct Checkpoint {
    explicit Checkpoint(arch::Isa from) : isa(from) {
        make_container();
        make_core();
        make_memory();
        make_files();
    }

    images::Vma &add_vma(std::uint64_t start, std::uint64_t count, int protection, std::uint32_t status,
                         std::uint64_t file = 0) {
        images::Vma &vma = *mm.add_vmas();
        vma.set_start(start);
        vma.set_end(start + count * kPage);
        vma.set_offset(0);
        vma.set_object(file);
        vma.set_protection(static_cast<std::uint32_t>(protection));
        vma.set_flags(file == 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_PRIVATE);
        vma.set_status(kVmaRegular | (file == 0 ? kVmaAnonymousPrivate : kVmaFilePrivate) | status);
        vma.set_fd(-1);
        return vma;
    }
    // A page whose every byte is `fill`.
    void add_page(std::uint64_t address, char fill) { add_page(address, std::string(kPage, fill)); }
    void add_page(std::uint64_t address, const std::string &bytes) {
        runs.push_back(address);
        pages += bytes;
    }

    // Into `directory`, which must exist.
    void write(const std::filesystem::path &directory) const {
        Fd fd = *open_file(directory, O_RDONLY | O_DIRECTORY);
        put(fd, "inventory.img", inventory);
        put(fd, "pstree.img", process);
        put(fd, "core-7.img", core);
        put(fd, "ids-7.img", core.ids());
        put(fd, "mm-7.img", mm);
        put(fd, "fs-7.img", filesystem);
        put(fd, "seccomp.img", seccomp);
        put(fd, "cgroup.img", cgroups);
        put_list(fd, "files.img", files);
        put_list(fd, "mountpoints-12.img", mounts);
        put_list(fd, "fdinfo-2.img", std::vector<images::Descriptor>{});
        Image pagemap = *Image::make("pagemap-7.img");
        pagemap.add<images::PagemapHead>().set_pages(1);
        for (std::uint64_t address : runs)
            set_run(pagemap.add<images::PageRun>(), address, 1, PageRange::Place::kPages);
        if (!pagemap.write(fd)) std::abort();
        std::ofstream(directory / "pages-1.img", std::ios::binary) << pages;
    }

    arch::Isa isa;
    images::Inventory inventory;
    images::Process process;
    images::Core core;
    images::AddressSpace mm;
    images::Filesystem filesystem;
    images::Seccomp seccomp;
    images::Cgroups cgroups;
    std::vector<images::File> files;
    std::vector<images::Mount> mounts;
    std::vector<std::uint64_t> runs;
    std::string pages;
    popcorn_regs regs{};

  private:
    template <typename M> static void put(const Fd &directory, const std::string &name, const M &message) {
        put_list(directory, name, std::vector<M>{message});
    }
    template <typename M>
    static void put_list(const Fd &directory, const std::string &name, const std::vector<M> &list) {
        Image image = *Image::make(name);
        for (const M &message : list) image.add<M>() = message;
        if (!image.write(directory)) std::abort();
    }

    void make_container() {
        inventory.set_image_version(2);
        inventory.set_fdinfo_per_id(true);
        inventory.set_ns_per_id(true);
        inventory.set_root_cgroup_set(4); // of criu itself
        process.set_pid(kPid);
        process.set_parent(0);
        process.set_group(kPid);
        process.set_session(kPid);
        process.add_threads(kPid);
        filesystem.set_working_directory(2);
        filesystem.set_root(2);
        images::CgroupSet &set = *cgroups.add_sets();
        set.set_id(5);
        images::CgroupMember &member = *set.add_members();
        member.set_name("");
        member.set_path("/docker/0123old");
        images::CgroupController &controller = *cgroups.add_controllers();
        controller.add_names("");
        controller.add_directories()->set_name("docker/0123old");
    }

    void make_core() {
        core.set_machine(arch::facts(isa).criu_march);
        if (isa == arch::Isa::kX8664)
            make_x86();
        else
            make_aarch64();
        images::TaskCore &task = *core.mutable_task();
        task.set_state(3);
        task.set_exit_code(0);
        task.set_personality(0);
        task.set_flags(0);
        task.set_blocked_signals(0x10);
        task.set_comm("hello");
        for (int i = 0; i < 62; ++i) {
            images::SignalAction &action = *task.add_signal_actions();
            action.set_handler(0);
            action.set_flags(0);
            action.set_restorer(0);
            action.set_mask(0);
        }
        images::ThreadCore &thread = *core.mutable_thread();
        thread.set_cgroup_set(5);
        thread.set_robust_list(0);
        thread.set_robust_list_length(0);
        images::Credentials &credentials = *thread.mutable_credentials();
        for (auto set :
             {&images::Credentials::set_uid, &images::Credentials::set_gid, &images::Credentials::set_effective_uid,
              &images::Credentials::set_effective_gid, &images::Credentials::set_saved_uid,
              &images::Credentials::set_saved_gid, &images::Credentials::set_filesystem_uid,
              &images::Credentials::set_filesystem_gid, &images::Credentials::set_secure_bits})
            (credentials.*set)(0);
        credentials.add_bounding(0xffffffff);
        credentials.add_bounding(0x1ff); // 0 to 40
        images::ObjectIds &ids = *core.mutable_ids();
        ids.set_vm(1);
        ids.set_files(2);
        ids.set_fs(3);
        ids.set_sighand(4);
    }
    void make_x86() {
        images::X86Thread &thread = *core.mutable_x86();
        thread.set_clear_tid_address(0x1234);
        images::X86Registers &r = *thread.mutable_registers();
        for (auto set :
             {&images::X86Registers::set_r15,      &images::X86Registers::set_r14,     &images::X86Registers::set_r13,
              &images::X86Registers::set_r12,      &images::X86Registers::set_rbp,     &images::X86Registers::set_rbx,
              &images::X86Registers::set_r11,      &images::X86Registers::set_r10,     &images::X86Registers::set_r9,
              &images::X86Registers::set_r8,       &images::X86Registers::set_rax,     &images::X86Registers::set_rcx,
              &images::X86Registers::set_rdx,      &images::X86Registers::set_rsi,     &images::X86Registers::set_rdi,
              &images::X86Registers::set_orig_rax, &images::X86Registers::set_rip,     &images::X86Registers::set_cs,
              &images::X86Registers::set_flags,    &images::X86Registers::set_rsp,     &images::X86Registers::set_ss,
              &images::X86Registers::set_fs_base,  &images::X86Registers::set_gs_base, &images::X86Registers::set_ds,
              &images::X86Registers::set_es,       &images::X86Registers::set_fs,      &images::X86Registers::set_gs})
            (r.*set)(0x77);
        images::X86FloatingPoint &f = *thread.mutable_floating_point();
        f.set_control(0x37f);
        f.set_status(0);
        f.set_tag(0);
        f.set_opcode(0);
        f.set_instruction(0);
        f.set_data(0);
        f.set_mxcsr(0x1f80 | 1U << 13 | 1U << 5); // round down; inexact seen
        f.set_mxcsr_mask(0xffff);
    }
    void make_aarch64() {
        images::Aarch64Thread &thread = *core.mutable_aarch64();
        thread.set_clear_tid_address(0x1234);
        thread.set_tls(0x77);
        for (int i = 0; i < 31; ++i) thread.mutable_registers()->add_x(0x77);
        thread.mutable_registers()->set_sp(0x77);
        thread.mutable_registers()->set_pc(0x77);
        thread.mutable_registers()->set_pstate(0);
        thread.mutable_floating_point()->set_fpsr(1U << 4);
        thread.mutable_floating_point()->set_fpcr(2U << 22);
    }

    void make_memory() {
        for (auto set : {&images::AddressSpace::set_start_code, &images::AddressSpace::set_end_code,
                         &images::AddressSpace::set_start_data, &images::AddressSpace::set_end_data,
                         &images::AddressSpace::set_start_brk, &images::AddressSpace::set_brk})
            (mm.*set)(kData);
        bool x86 = isa == arch::Isa::kX8664;
        std::uint64_t top = x86 ? 0x7ffffffe0000 : 0xfffffffe0000;
        std::uint64_t kernel = top - 0x100000;
        mm.set_start_stack(top + 0x800);
        mm.set_arg_start(top + 0xc00);
        mm.set_arg_end(top + 0xc10);
        mm.set_env_start(top + 0xc10);
        mm.set_env_end(top + 0xc20);
        mm.set_executable(1);
        for (std::uint64_t word :
             {std::uint64_t{AT_SYSINFO_EHDR}, kernel + 2 * kPage, std::uint64_t{AT_HWCAP}, std::uint64_t{99},
              std::uint64_t{AT_RANDOM}, top + 0xd00, std::uint64_t{AT_PLATFORM}, top + 0xd10, std::uint64_t{AT_PAGESZ},
              kPage, std::uint64_t{AT_NULL}, std::uint64_t{0}})
            mm.add_saved_auxv(word);
        regs = parked_registers(arch::other(isa));
        std::string first(kPage, '\0'), second(kPage, '\0');
        std::memcpy(first.data(), &regs, sizeof regs);
        std::uint64_t tls = kTls + 0x100;
        std::memcpy(second.data(), &tls, sizeof tls);

        add_vma(kText, 1, PROT_READ | PROT_EXEC, 0, 1).set_open_flags(x86 ? 0100000 : 0400000);
        add_page(kText, 'T');
        add_vma(kData, 1, PROT_READ | PROT_WRITE, 0, 1);
        add_page(kData, 'D');
        add_vma(kBss, 2, PROT_READ | PROT_WRITE, 0);
        add_page(kBss, first);
        add_page(kBss + kPage, second);
        add_vma(kStack, 16, PROT_READ | PROT_WRITE, 0);
        add_page(kStack + 15 * kPage, 'S');
        add_vma(kernel, 2, PROT_READ, kVmaVvar);
        add_vma(kernel + 2 * kPage, 2, PROT_READ | PROT_EXEC, kVmaVdso);
        add_page(kernel + 2 * kPage, 'V');
        add_page(kernel + 3 * kPage, 'V');
        images::Vma &stack = add_vma(top - 2 * kPage, 4, PROT_READ | PROT_WRITE, 0);
        stack.set_flags(stack.flags() | MAP_GROWSDOWN);
        add_page(top - kPage, 'K');
        add_page(top, 'A');
        if (x86)
            add_vma(0xffffffffff600000, 1, PROT_EXEC, kVmaVsyscall).set_status(kVmaVsyscall | kVmaAnonymousPrivate);
    }

    void make_files() {
        images::File &program = add_file(1, "/app/hello");
        program.mutable_regular()->set_size(sizeof(Program));
        program.mutable_regular()->set_mode(S_IFREG | 0755);
        const char *id = isa == arch::Isa::kX8664 ? "x86-64id" : "aarch64i";
        for (int word = 0; word < 2; ++word) {
            std::uint32_t value = 0;
            std::memcpy(&value, id + 4 * word, 4);
            program.mutable_regular()->add_build_id(value);
        }
        images::File &root = add_file(2, "/");
        root.mutable_regular()->set_flags(isa == arch::Isa::kX8664 ? 0200000 : 040000); // O_DIRECTORY
    }
    images::File &add_file(std::uint32_t id, const std::string &name) {
        images::File &file = files.emplace_back();
        file.set_type(static_cast<std::uint32_t>(FileType::kRegular));
        file.set_id(id);
        images::RegularFile &regular = *file.mutable_regular();
        regular.set_id(id);
        regular.set_flags(0);
        regular.set_position(0);
        regular.set_name(name);
        images::Owner &owner = *regular.mutable_owner();
        owner.set_uid(0);
        owner.set_effective_uid(0);
        owner.set_signal(0);
        owner.set_pid_type(0);
        owner.set_pid(0);
        return file;
    }

  public:
    static popcorn_regs parked_registers(arch::Isa target) {
        popcorn_regs out{};
        if (target == arch::Isa::kX8664) {
            out.x86_64.magic = POPCORN_MAGIC_X86_64;
            out.x86_64.rip = kEntry;
            out.x86_64.rsp = kStack + 0x8000;
            out.x86_64.rdi = 0xd1;
            out.x86_64.r15 = 0x15;
            out.x86_64.xmm[3] = {0x1111222233334444, 0x5555666677778888};
            out.x86_64.rflags = 0x202;
        } else {
            out.aarch64.magic = POPCORN_MAGIC_AARCH64;
            out.aarch64.pc = kEntry;
            out.aarch64.sp = kStack + 0x8000;
            for (std::uint64_t i = 0; i < 31; ++i) out.aarch64.x[i] = 0x100 + i;
            out.aarch64.v[31] = {0x1111222233334444, 0x5555666677778888};
        }
        return out;
    }
};

// The container's root with the program of both ISAs; `named` is a copy of the target's.
inline void write_programs(const std::filesystem::path &root, arch::Isa target, Abi abi = Abi::kPopcorn) {
    Program x86(arch::Isa::kX8664, "x86-64id"), aarch64(arch::Isa::kAarch64, "aarch64i");
    if (abi == Abi::kPortable)
        for (Program *program : {&x86, &aarch64}) program->make_portable();
    x86.write(root / "app/hello_x86-64");
    aarch64.write(root / "app/hello_aarch64");
    (target == arch::Isa::kX8664 ? x86 : aarch64).write(root / "app/hello");
}

} // namespace hrunc::recode::testing_support
