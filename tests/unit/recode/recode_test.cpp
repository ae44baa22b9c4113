#include "recode/recode.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "recode/image_directory.h"
#include "tests/unit/images/scratch.h"
#include "tests/unit/recode/checkpoint.h"

namespace hrunc::recode {
namespace {

using namespace testing_support;
using arch::Isa;

// A container's root, a checkpoint beside it, and what recode makes of them.
class Recode : public testing::TestWithParam<Isa> {
  protected:
    Recode() : checkpoint_(arch::other(GetParam())) {
        request_.images = scratch_.path() / "checkpoint";
        request_.output = scratch_.path() / "out";
        request_.root = scratch_.path() / "root";
        request_.target = handmade_host(GetParam());
        std::filesystem::create_directory(request_.images);
        write_programs(request_.root, GetParam());
    }

    Result<Report> run() {
        checkpoint_.write(request_.images);
        return recode(request_);
    }
    // The error's text after `recode "...": `; and nothing may be left beside the source.
    std::string refusal() {
        Result<Report> report = run();
        if (report.ok()) return "no error";
        for (const auto &entry : std::filesystem::directory_iterator(scratch_.path())) {
            std::string name = entry.path().filename();
            EXPECT_TRUE(name == "checkpoint" || name == "root") << name;
        }
        std::string act = "recode \"" + request_.images + "\": ";
        EXPECT_EQ(report.error().text().substr(0, act.size()), act);
        return report.error().text().substr(act.size());
    }
    Image image(const std::string &name) const { return *Image::read(*open_file(request_.output, O_RDONLY), name); }
    template <typename M> M only(const std::string &name) const { return **image(name).only<M>(); }
    bool to_x86() const { return GetParam() == Isa::kX8664; }
    std::string from_name() const { return std::string(arch::name(arch::other(GetParam()))); }
    std::string to_name() const { return std::string(arch::name(GetParam())); }

    Scratch scratch_;
    Checkpoint checkpoint_;
    Request request_;
};

INSTANTIATE_TEST_SUITE_P(Towards, Recode, testing::ValuesIn(arch::kIsas),
                         [](const auto &isa) { return std::string(arch::facts(isa.param).uname_machine); });

TEST_P(Recode, GivesTheRegistersThatTheProgramLeft) {
    ASSERT_EQ(run().ok() ? "" : run().error().text(), "");
    auto core = only<images::Core>("core-7.img");
    EXPECT_EQ(core.machine(), arch::facts(GetParam()).criu_march);
    EXPECT_EQ(core.task().state(), 1U);
    if (to_x86()) {
        EXPECT_EQ(core.x86().registers().rip(), kEntry);
        EXPECT_EQ(core.x86().registers().rsp(), kStack + 0x8000);
        EXPECT_EQ(core.x86().registers().r15(), 0x15U);
        EXPECT_EQ(core.x86().registers().fs_base(), kTls + 0x100);
        EXPECT_EQ(core.x86().registers().cs(), 0x33U);
        EXPECT_EQ(core.x86().registers().ss(), 0x2bU);
        EXPECT_EQ(core.x86().registers().orig_rax(), UINT64_MAX);
        EXPECT_EQ(core.x86().clear_tid_address(), 0x1234U);
        ASSERT_EQ(core.x86().floating_point().xmm_size(), 64);
        ASSERT_EQ(core.x86().floating_point().st_size(), 32);
        EXPECT_EQ(core.x86().floating_point().xmm(3 * 4 + 1), 0x11112222U);
        EXPECT_EQ(core.x86().floating_point().xmm(3 * 4 + 2), 0x77778888U);
        EXPECT_EQ(core.x86().floating_point().mxcsr(), 0x1f80U | 1U << 13 | 1U << 5);
        EXPECT_EQ(core.x86().floating_point().control(), 0x37fU | 1U << 10);
        EXPECT_TRUE(core.has_aarch64());
    } else {
        EXPECT_EQ(core.aarch64().registers().pc(), kEntry);
        EXPECT_EQ(core.aarch64().registers().sp(), kStack + 0x8000);
        EXPECT_EQ(core.aarch64().registers().x(30), 0x11eU);
        EXPECT_EQ(core.aarch64().tls(), kTls + 0x100);
        ASSERT_EQ(core.aarch64().floating_point().v_size(), 64);
        EXPECT_EQ(core.aarch64().floating_point().v(63), 0x5555666677778888U);
        EXPECT_EQ(core.aarch64().floating_point().fpcr(), 2U << 22);
        EXPECT_EQ(core.aarch64().floating_point().fpsr(), 1U << 4);
        EXPECT_TRUE(core.has_x86());
    }
}

TEST_P(Recode, LeavesPagesInTheSource) {
    Result<Report> report = run();
    ASSERT_TRUE(report.ok()) << report.error().text();
    EXPECT_EQ(std::filesystem::read_symlink(request_.output + "/parent"), "../checkpoint");
    DumpedMemory memory = *DumpedMemory::of_process(*open_file(request_.output, O_RDONLY), kPid);
    EXPECT_EQ(*memory.read<char>(kData), 'D');
    EXPECT_EQ(*memory.read<char>(kStack + 15 * kPage), 'S');
    EXPECT_FALSE(memory.holds(kText, 1)) << "the source's code over the target's";
    EXPECT_EQ(report->pages_in_parent, to_x86() ? 4U : 6U);
    EXPECT_EQ(report->pages_written, to_x86() ? 2U : 1U);
    EXPECT_FALSE(std::filesystem::exists(request_.output + "/pages-1.img"));
    EXPECT_EQ(std::filesystem::file_size(request_.output + "/pages-2.img"), report->pages_written * kPage);
}

TEST_P(Recode, ExchangesTheKernelsAreas) {
    ASSERT_TRUE(run().ok());
    auto mm = only<images::AddressSpace>("mm-7.img");
    DumpedMemory memory = *DumpedMemory::of_process(*open_file(request_.output, O_RDONLY), kPid);
    std::uint64_t vdso = 0, vvars = 0;
    for (const images::Vma &vma : mm.vmas()) {
        EXPECT_LE(vma.end(), arch::facts(GetParam()).address_limit);
        EXPECT_EQ(vma.status() & kVmaVsyscall, 0U);
        if ((vma.status() & kVmaVvar) != 0) ++vvars;
        if ((vma.status() & kVmaVdso) == 0) continue;
        vdso = vma.start();
        std::string bytes(kPage, '\0');
        ASSERT_TRUE(memory.read(vma.start(), bytes.data(), kPage).ok());
        EXPECT_EQ(bytes, request_.target.vdso);
    }
    EXPECT_EQ(vvars, 1U);
    ASSERT_EQ(mm.saved_auxv(0), std::uint64_t{AT_SYSINFO_EHDR});
    EXPECT_EQ(mm.saved_auxv(1), vdso);
    if (to_x86()) return;
    EXPECT_EQ(vdso, 0x7ffffffe0000 - 0x100000 + 2 * kPage) << "the old place, where it fits";
}

TEST_P(Recode, KeepsTheCommandLineWhereTheStartStackHasToMove) {
    ASSERT_TRUE(run().ok());
    auto mm = only<images::AddressSpace>("mm-7.img");
    DumpedMemory memory = *DumpedMemory::of_process(*open_file(request_.output, O_RDONLY), kPid);
    EXPECT_LT(mm.start_stack(), arch::facts(GetParam()).address_limit);
    EXPECT_EQ(mm.arg_start() - mm.start_stack(), 0x400U);
    EXPECT_EQ(mm.env_end() - mm.arg_start(), 0x20U);
    EXPECT_EQ(*memory.read<char>(mm.arg_start()), 'A');
    EXPECT_EQ(memory.holds(0xfffffffe0000, 1), false);
}

TEST_P(Recode, NamesTheTargetsFile) {
    std::filesystem::resize_file(request_.root + "/app/hello", sizeof(Program) + 16);
    ASSERT_TRUE(run().ok());
    Image files = image("files.img");
    const auto &program = files.get<images::File>(0)->regular();
    EXPECT_EQ(program.name(), "/app/hello");
    EXPECT_EQ(program.size(), sizeof(Program) + 16);
    std::uint32_t word = 0;
    std::memcpy(&word, to_x86() ? "x86-" : "aarc", 4);
    EXPECT_EQ(program.build_id(0), word);
    EXPECT_EQ(files.get<images::File>(1)->regular().flags(), to_x86() ? 0200000U : 040000U);
    EXPECT_EQ(only<images::AddressSpace>("mm-7.img").vmas(0).open_flags(), to_x86() ? 0100000U : 0400000U);
}

TEST_P(Recode, TakesTheSiblingWhereTheNamedFileIsTheSources) {
    write_programs(request_.root, arch::other(GetParam()));
    ASSERT_TRUE(run().ok());
    EXPECT_EQ(image("files.img").get<images::File>(0)->regular().name(), "/app/hello_" + to_name());
}

TEST_P(Recode, FindsExecutablesInVolumes) {
    std::filesystem::rename(request_.root + "/app", scratch_.path() / "root/volume");
    request_.mounts["/app"] = scratch_.path() / "root/volume";
    EXPECT_TRUE(run().ok());
}

TEST_P(Recode, GoesBackToTheRegistersOfADirectoryThatNeverRan) {
    ASSERT_TRUE(run().ok());
    auto before = checkpoint_.core;
    Request back = request_;
    back.images = request_.output;
    back.output = scratch_.path() / "back";
    back.target = handmade_host(arch::other(GetParam()));
    Result<Report> report = recode(back);
    ASSERT_TRUE(report.ok()) << report.error().text();
    request_.output = back.output;
    auto core = only<images::Core>("core-7.img");
    EXPECT_EQ(core.machine(), before.machine());
    EXPECT_EQ(core.x86().SerializeAsString(),
              to_x86() ? core.x86().SerializeAsString() : before.x86().SerializeAsString());
    EXPECT_EQ(core.aarch64().SerializeAsString(),
              to_x86() ? before.aarch64().SerializeAsString() : core.aarch64().SerializeAsString());
    EXPECT_EQ(image("files.img").get<images::File>(0)->regular().build_id(0),
              checkpoint_.files[0].regular().build_id(0));
    DumpedMemory memory = *DumpedMemory::of_process(*open_file(back.output, O_RDONLY), kPid);
    EXPECT_EQ(*memory.read<char>(kData), 'D');
}

TEST_P(Recode, ReplacesTheOldContainersCgroup) {
    request_.cgroup_path = "/system.slice/docker-4567new.scope";
    ASSERT_TRUE(run().ok());
    auto cgroups = only<images::Cgroups>("cgroup.img");
    EXPECT_EQ(cgroups.sets(0).members(0).path(), "/system.slice/docker-4567new.scope");
    EXPECT_EQ(cgroups.controllers(0).directories(0).name(), "system.slice/docker-4567new.scope");
}

TEST_P(Recode, WritesPrivateFiles) {
    ASSERT_TRUE(run().ok());
    struct stat status{};
    ASSERT_EQ(stat(request_.output.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0700U);
    for (const auto &entry : std::filesystem::directory_iterator(request_.output)) {
        if (entry.is_symlink()) continue;
        ASSERT_EQ(stat(entry.path().c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 07777U, 0600U) << entry.path();
    }
}

TEST_P(Recode, CopiesSmallFilesAndLinksLargeOnes) {
    scratch_.put("checkpoint/descriptors.json", "[]");
    scratch_.put("checkpoint/tmpfs-dev-41.tar.gz.img", std::string(70000, 'x'));
    ASSERT_TRUE(run().ok());
    EXPECT_EQ(contents(request_.output + "/descriptors.json"), "[]");
    EXPECT_EQ(std::filesystem::read_symlink(request_.output + "/tmpfs-dev-41.tar.gz.img"),
              "parent/tmpfs-dev-41.tar.gz.img");
}

TEST_P(Recode, FollowsNoLinkOutOfTheCheckpoint) {
    std::filesystem::create_symlink("/etc/passwd", request_.images + "/tmpfs-dev-41.tar.gz.img");
    EXPECT_EQ(refusal(), "\"tmpfs-dev-41.tar.gz.img\": not a regular file");
}

TEST_P(Recode, LeavesTheSourceAsItIs) {
    ASSERT_TRUE(run().ok());
    std::map<std::string, std::string> before;
    for (const auto &entry : std::filesystem::directory_iterator(request_.images))
        before[entry.path()] = contents(entry.path());
    request_.output += "-again";
    ASSERT_TRUE(recode(request_).ok());
    for (const auto &[path, bytes] : before) EXPECT_EQ(contents(path), bytes) << path;
}

TEST_P(Recode, DoesNotReplaceWhatIsThere) {
    std::filesystem::create_directory(request_.output);
    EXPECT_EQ(run().error().text(), "recode \"" + request_.images + "\": \"" + request_.output + "\" exists already");
}

TEST_P(Recode, ExamineAsksForItOnTheOtherIsaOnly) {
    checkpoint_.write(request_.images);
    EXPECT_TRUE(examine(request_.images, request_.target)->recode);
    EXPECT_FALSE(examine(request_.images, handmade_host(arch::other(GetParam())))->recode);
}

TEST_P(Recode, OnOneIsaOnlyTheContainerChanges) {
    request_.target = handmade_host(arch::other(GetParam()));
    request_.cgroup_path = "/docker/4567new";
    Result<Report> report = run();
    ASSERT_TRUE(report.ok()) << report.error().text();
    EXPECT_EQ(report->changed, std::vector<std::string>{"cgroup.img"});
    EXPECT_EQ(contents(request_.output + "/core-7.img"), contents(request_.images + "/core-7.img"));
}

// What is refused, by name and with the reason.

TEST_P(Recode, RefusesAProgramWithoutAnAbi) {
    checkpoint_.files[0].mutable_regular()->set_name("/bin/sh");
    std::filesystem::create_directories(request_.root + "/bin");
    std::filesystem::copy_file("/bin/sh", request_.root + "/bin/sh");
    EXPECT_EQ(refusal(), "process 7 (/bin/sh): has no migratable binary");
}

TEST_P(Recode, RefusesAMissingSibling) {
    std::filesystem::remove(request_.root + "/app/hello_" + from_name());
    EXPECT_EQ(refusal(), "process 7 (/app/hello): missing sibling executable \"/app/hello_" + from_name() + "\" for " +
                             from_name());
}

TEST_P(Recode, RefusesAnotherBuild) {
    Program(arch::other(GetParam()), "anotherb").write(request_.root + "/app/hello_" + from_name());
    EXPECT_EQ(refusal(), "process 7 (/app/hello): build id differs: \"/app/hello_" + from_name() +
                             "\" has 616e6f7468657262, the checkpoint records " +
                             (to_x86() ? "6161726368363469" : "7838362d36346964"));
}

TEST_P(Recode, RefusesAnotherLayout) {
    Program program(GetParam(), to_x86() ? "x86-64id" : "aarch64i");
    program.segments[1].p_memsz += 16;
    program.write(request_.root + "/app/hello");
    EXPECT_EQ(refusal(), "process 7 (/app/hello): program headers of \"/app/hello_" + from_name() +
                             "\" and \"/app/hello\" differ");
}

TEST_P(Recode, RefusesAProcessThatIsNotParked) {
    checkpoint_.pages.replace(2 * kPage, 8, std::string(8, '\0'));
    EXPECT_EQ(refusal(), "process 7 (/app/hello): not at a migration point: checkpoint it through hrunc");
}

TEST_P(Recode, RefusesAProcessThatIsParkedForTheOtherIsa) {
    popcorn_regs regs = Checkpoint::parked_registers(arch::other(GetParam()));
    checkpoint_.pages.replace(2 * kPage, sizeof regs, reinterpret_cast<const char *>(&regs), sizeof regs);
    EXPECT_EQ(refusal(), "process 7 (/app/hello): is parked for " + from_name() + ", and this host is " + to_name() +
                             ": checkpoint it again for " + to_name());
}

TEST_P(Recode, RefusesAStackPointerOutsideMemory) {
    popcorn_regs regs = Checkpoint::parked_registers(GetParam());
    (to_x86() ? regs.x86_64.rsp : regs.aarch64.sp) = 0x5000;
    checkpoint_.pages.replace(2 * kPage, sizeof regs, reinterpret_cast<const char *>(&regs), sizeof regs);
    EXPECT_EQ(refusal(), "process 7 (/app/hello): stack pointer 0x5000: outside every mapping that fits");
}

TEST_P(Recode, RefusesMemoryWithoutTheRegisters) {
    checkpoint_.runs.erase(checkpoint_.runs.begin() + 2);
    checkpoint_.pages.erase(2 * kPage, kPage);
    EXPECT_EQ(refusal(), "process 7 (/app/hello): regs_dst: pagemap-7.img: address 0x431000: not in the dump");
}

TEST_P(Recode, RefusesASecondThread) {
    checkpoint_.process.add_threads(8);
    checkpoint_.write(request_.images);
    images::Core thread = checkpoint_.core;
    thread.clear_task();
    thread.clear_ids();
    Image image = *Image::make("core-8.img");
    image.add<images::Core>() = thread;
    ASSERT_TRUE(image.write(*open_file(request_.images, O_RDONLY)).ok());
    Result<Report> report = recode(request_);
    EXPECT_EQ(report.error().text(),
              "recode \"" + request_.images + "\": process 7 (/app/hello): 2 threads: the popcorn ABI is for one");
}

TEST_P(Recode, RefusesMemoryThatTheTargetCannotHold) {
    request_.target.address_limit = std::uint64_t{1} << 36;
    EXPECT_EQ(refusal(), "process 7 (/app/hello): memory at 0x1000000000: " + to_name() +
                             " here holds addresses below 0xffffff000 only");
}

TEST_P(Recode, RefusesUnequalPages) {
    request_.target.page_size = 16384;
    EXPECT_EQ(refusal(), "process 7 (/app/hello): pages of 4096 bytes, and this host's are 16384");
}

TEST_P(Recode, RefusesAnUnknownImageVersion) {
    checkpoint_.inventory.set_image_version(3);
    EXPECT_NE(refusal().find("version 3"), std::string::npos);
}

TEST_P(Recode, RefusesHandlersThatCouldNotReturn) {
    Program x86(Isa::kX8664, "x86-64id"), aarch64(Isa::kAarch64, "aarch64i");
    for (Program *program : {&x86, &aarch64}) program->symbols[4].st_name = 0;
    x86.write(request_.root + "/app/hello_x86-64");
    aarch64.write(request_.root + "/app/hello_aarch64");
    std::filesystem::remove(request_.root + "/app/hello");
    checkpoint_.core.mutable_task()->mutable_signal_actions(9)->set_handler(kEntry);
    EXPECT_EQ(refusal(), to_x86() ? "process 7 (/app/hello): handles signal 11, and its program has no "
                                    "__popcorn_sigreturn for the handler to return through on x86-64"
                                  : "no error");
}

TEST_P(Recode, RefusesAFilterWithoutAProfileAndAProfileWithoutAFilter) {
    request_.seccomp_profile =
        R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]})";
    EXPECT_EQ(refusal(), "process 7 (/app/hello): has no seccomp filter, and the container has a profile: start the "
                         "container with --security-opt seccomp=unconfined");
    request_.seccomp_profile = "";
    checkpoint_.seccomp.add_filters()->set_program("12345678");
    checkpoint_.core.mutable_thread()->set_seccomp_mode(2);
    checkpoint_.core.mutable_thread()->set_seccomp_filter(0);
    std::filesystem::remove_all(request_.images);
    std::filesystem::create_directory(request_.images);
    EXPECT_EQ(refusal(), "process 7 (/app/hello): has a seccomp filter, and the container has no profile to build it "
                         "from for this host: start the container with the seccomp profile that it ran with");
}

TEST_P(Recode, BuildsTheFilterAnew) {
    request_.seccomp_profile =
        R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]})";
    checkpoint_.seccomp.add_filters()->set_program("12345678");
    checkpoint_.core.mutable_thread()->set_seccomp_mode(2);
    checkpoint_.core.mutable_thread()->set_seccomp_filter(0);
    ASSERT_TRUE(run().ok());
    EXPECT_GT(only<images::Seccomp>("seccomp.img").filters(0).program().size(), 8U * 8);
}

TEST_P(Recode, RefusesAFilterOfTheProgramsOwn) {
    request_.seccomp_profile =
        R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]})";
    checkpoint_.seccomp.add_filters()->set_program("12345678");
    images::SeccompFilter &own = *checkpoint_.seccomp.add_filters();
    own.set_program("12345678");
    own.set_previous(0);
    checkpoint_.core.mutable_thread()->set_seccomp_mode(2);
    checkpoint_.core.mutable_thread()->set_seccomp_filter(1);
    EXPECT_EQ(refusal(), "process 7 (/app/hello): has installed a seccomp filter of its own, which cannot be built for "
                         "another host");
}

TEST_P(Recode, DropsMaskedPathsThatTheKernelLacks) {
    images::Mount &mount = checkpoint_.mounts.emplace_back();
    mount.set_filesystem_type(5);
    mount.set_id(40);
    mount.set_device(1);
    mount.set_parent(30);
    mount.set_flags(0);
    mount.set_root("/null");
    mount.set_source("tmpfs");
    mount.set_options("");
    mount.set_mountpoint("/proc/keys");
    checkpoint_.mounts.push_back(mount);
    checkpoint_.mounts.back().set_mountpoint("/proc/acpi");
    checkpoint_.mounts.back().set_id(41);
    Result<Report> report = run();
    ASSERT_TRUE(report.ok()) << report.error().text();
    EXPECT_EQ(report->notes,
              std::vector<std::string>{"masked path \"/proc/acpi\" dropped: this host's kernel has no such file"});
    EXPECT_EQ(image("mountpoints-12.img").entries().size(), 1U);
}

TEST_P(Recode, SaysWhichCapabilitiesWent) {
    request_.target.last_capability = 38;
    Result<Report> report = run();
    ASSERT_TRUE(report.ok()) << report.error().text();
    EXPECT_EQ(report->notes, std::vector<std::string>{"process 7 (/app/hello): 2 capabilities that this host's kernel "
                                                      "does not know were dropped"});
    EXPECT_EQ(only<images::Core>("core-7.img").thread().credentials().bounding(1), 0x7fU);
}

TEST(RecodeX86, RefusesThirtyTwoBitTasksAndShadowStacks) {
    Scratch scratch;
    Request request{scratch.path() / "in",
                    scratch.path() / "out",
                    handmade_host(Isa::kAarch64),
                    scratch.path() / "root",
                    {},
                    {},
                    false,
                    {}};
    write_programs(request.root, Isa::kAarch64);
    auto refusal = [&](auto spoil) {
        Checkpoint checkpoint(Isa::kX8664);
        spoil(checkpoint);
        std::filesystem::remove_all(request.images);
        std::filesystem::create_directory(request.images);
        checkpoint.write(request.images);
        std::string text = recode(request).error().text();
        return text.substr(text.find("process"));
    };
    EXPECT_EQ(refusal([](Checkpoint &c) { c.core.mutable_x86()->mutable_registers()->set_mode(2); }),
              "process 7 (/app/hello): is a 32-bit task");
    EXPECT_EQ(refusal([](Checkpoint &c) {
                  auto &cet = *c.core.mutable_x86()->mutable_floating_point()->mutable_xsave();
                  cet.set_features(0);
                  cet.mutable_cet()->set_control(1);
                  cet.mutable_cet()->set_shadow_stack(0);
              }),
              "process 7 (/app/hello): runs with a shadow stack (CET)");
    EXPECT_EQ(refusal([](Checkpoint &c) {
                  images::Vma vma = c.mm.vmas(2);
                  c.mm.mutable_vmas()->RemoveLast();
                  vma.set_start(0x1000000000000);
                  vma.set_end(0x1000000001000);
                  *c.mm.add_vmas() = vma;
              }),
              "process 7 (/app/hello): memory at 0x1000000000000: 5-level addresses");
    EXPECT_EQ(refusal([](Checkpoint &c) {
                  auto &stack = *c.core.mutable_thread()->mutable_alternate_stack();
                  stack.set_base(kStack);
                  stack.set_size(4096);
                  stack.set_flags(0);
              }),
              "process 7 (/app/hello): its alternate signal stack of 4096 bytes is smaller than aarch64's least, 5120");
}

TEST_P(Recode, RefusesAProcessThatHasLostNoNewPrivileges) {
    request_.no_new_privileges = true;
    EXPECT_EQ(refusal(), "process 7 (/app/hello): may gain privileges, which the new container forbids "
                         "(no-new-privileges): criu 3.17 forgets that setting; checkpoint it with a newer criu");
}

TEST_P(Recode, KeepsNoNewPrivileges) {
    request_.no_new_privileges = true;
    checkpoint_.core.mutable_thread()->mutable_credentials()->set_no_new_privileges(1);
    Result<Report> report = run();
    ASSERT_TRUE(report.ok()) << report.error().text();
    EXPECT_EQ(only<images::Core>("core-7.img").thread().credentials().no_new_privileges(), 1U);
}

} // namespace
} // namespace hrunc::recode
