#include "tests/unit/park/container.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/fd.h"
#include "recode/elf.h"

namespace hrunc::shim::testing {

using namespace std::chrono_literals;

std::string name(Hierarchy hierarchy) {
    switch (hierarchy) {
    case Hierarchy::kNone:
        return "NoFreezer";
    case Hierarchy::kVersion1:
        return "CgroupVersion1";
    case Hierarchy::kVersion2:
        return "CgroupVersion2";
    }
    return "";
}

std::string cgroup_root(Hierarchy hierarchy) {
    const char *needed = hierarchy == Hierarchy::kVersion1 ? "release_agent" : "cgroup.controllers";
    if (hierarchy == Hierarchy::kNone || geteuid() != 0) return "";
    for (const char *root : {"/sys/fs/cgroup/freezer", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"})
        if (access((std::string(root) + "/" + needed).c_str(), F_OK) == 0) return root;
    return "";
}

bool wait_for(const std::function<bool()> &condition) {
    for (auto end = std::chrono::steady_clock::now() + 30s; std::chrono::steady_clock::now() < end;) {
        if (condition()) return true;
        std::this_thread::sleep_for(1ms);
    }
    return condition();
}

Container::Container(Hierarchy hierarchy, const std::string &modes, const std::string &program)
    : hierarchy_(hierarchy), program_(program.starts_with("/") ? program : PROGRAMS "/" + program) {
    static int made = 0;
    std::string own_name = "hrunc-park-test-" + std::to_string(getpid()) + "-" + std::to_string(++made);
    if (std::string root = cgroup_root(hierarchy); !root.empty()) {
        cgroup_ = root + "/" + own_name;
        EXPECT_EQ(mkdir(cgroup_.c_str(), 0755), 0) << cgroup_;
    }
    file_ = ::testing::TempDir() + own_name;
    Fd file = *open_file(file_, O_RDWR | O_CREAT | O_TRUNC, 0600);
    EXPECT_EQ(ftruncate(file.get(), sizeof(watched)), 0);
    void *mapped = mmap(nullptr, sizeof(watched), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    EXPECT_NE(mapped, MAP_FAILED);
    watched_ = static_cast<watched *>(mapped);
    slots_ = 1 + static_cast<int>(std::count(modes.begin(), modes.end(), ':'));

    init_ = static_cast<pid_t>(syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0));
    if (init_ == 0) {
        if (!cgroup_.empty()) write_control("cgroup.procs", "0");
        execl(program_.c_str(), program_.c_str(), file_.c_str(), modes.c_str(), nullptr);
        _exit(127);
    }
    EXPECT_TRUE(wait_for([&] {
        for (int i = 0; i < slots_; ++i)
            if (slot(i).pid == 0) return false;
        return true;
    })) << modes;
}

Container::~Container() {
    kill(init_, SIGKILL);
    if (!cgroup_.empty()) thaw();
    waitpid(init_, nullptr, __WALL); // or it was reaped by its tracer
    if (!cgroup_.empty()) {
        EXPECT_TRUE(wait_for([&] { return rmdir(cgroup_.c_str()) == 0; })) << cgroup_;
    }
    munmap(watched_, sizeof(watched));
    unlink(file_.c_str());
}

ParkRequest Container::request() const {
    ParkRequest request;
    request.init = init_;
    request.freezer = cgroup_;
    request.target = arch::other(arch::host());
    request.timeout = 30s;
    return request;
}

pid_t Container::pid_of(int slot_index) const {
    for (pid_t pid : *process_tree(init_)) {
        auto process = *read_process(pid);
        if (process && process->pid_inside == slot(slot_index).pid) return pid;
    }
    return 0;
}

bool Container::goes_on(int slot_index) const {
    std::int64_t before = slot(slot_index).progress;
    return wait_for([&] { return slot(slot_index).progress > before; });
}

bool Container::all_go_on() const {
    for (int i = 0; i < slots_; ++i)
        if (!goes_on(i)) return false;
    return true;
}

std::vector<std::int64_t> Container::progress() const {
    std::vector<std::int64_t> counts;
    for (int i = 0; i < slots_; ++i) counts.push_back(std::int64_t{slot(i).progress});
    return counts;
}

void Container::write_control(const std::string &file, const std::string &text) const {
    Fd fd = *open_file(cgroup_ + "/" + file, O_WRONLY);
    EXPECT_TRUE(write_all(fd, text).ok());
}

bool Container::asked_to_freeze() const {
    return *Freezer::open(cgroup_)->asked_to_freeze();
}

bool Container::frozen() const {
    bool version1 = hierarchy_ == Hierarchy::kVersion1;
    std::string text = *read_file(cgroup_ + (version1 ? "/freezer.state" : "/cgroup.events"), 4096);
    return version1 ? text == "FROZEN\n" : text.find("frozen 1") != text.npos;
}

void Container::freeze() const {
    auto frozen = Freezer::open(cgroup_)->freeze(std::chrono::steady_clock::now() + 30s);
    EXPECT_TRUE(frozen.ok());
}

void Container::thaw() const {
    bool version1 = hierarchy_ == Hierarchy::kVersion1;
    write_control(version1 ? "freezer.state" : "cgroup.freeze", version1 ? "THAWED" : "0");
}

std::int64_t Container::variable(pid_t pid) const {
    constexpr std::array<std::string_view, 1> kName{"__migrate_gb_variable"};
    static const std::uint64_t address =
        recode::Elf::open(*open_file(program_, O_RDONLY))->symbols(kName)->at("__migrate_gb_variable").address;
    std::int64_t value = 0;
    iovec here{&value, sizeof value};
    iovec there{reinterpret_cast<void *>(address), sizeof value};
    return process_vm_readv(pid, &here, 1, &there, 1, 0) == sizeof value ? value : -1;
}

bool Container::nothing_pending() const {
    for (pid_t pid : *process_tree(init_)) {
        auto process = *read_process(pid);
        if (process && process->executable == program_ && variable(pid) != -1) return false;
    }
    return true;
}

} // namespace hrunc::shim::testing
