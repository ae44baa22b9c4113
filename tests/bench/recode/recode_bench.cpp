// recode_bench HRUNC CRIT ROOT NAME WORK [--json FILE] [--check]: `hrunc recode` of checkpoints of 1 MB to 4 GB, turn
// by turn, beside what the same would cost with crit (decode and encode of every image) and a copy of the pages.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/bench/recode/checkpoints.h"

namespace {

namespace fs = std::filesystem;

constexpr int kRounds = 41, kCritRounds = 3;
constexpr double kTimeGoal = 2.0;            // 4 GB to 1 MB
constexpr std::uint64_t kBytesGoal = 32;     // bytes written for each further run of memory: one pagemap entry
constexpr std::uint64_t kMegabyte = 1 << 20; // of memory

double run(const std::vector<std::string> &command) {
    std::vector<char *> argv;
    for (const std::string &argument : command) argv.push_back(const_cast<char *>(argument.c_str()));
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    auto began = std::chrono::steady_clock::now();
    pid_t child = 0;
    int status = 0;
    if (posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ) != 0 ||
        waitpid(child, &status, 0) != child || status != 0) {
        std::fprintf(stderr, "bench recode: failed:");
        for (const std::string &argument : command) std::fprintf(stderr, " %s", argument.c_str());
        std::fprintf(stderr, "\n");
        std::exit(1);
    }
    std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - began;
    posix_spawn_file_actions_destroy(&actions);
    return taken.count();
}

struct Case {
    const char *name;
    hrunc::bench::Memory memory;
    fs::path directory;
    std::uint64_t written = 0; // bytes
    std::vector<double> recode, crit, copy;

    std::uint64_t runs() const { return (memory.bytes + memory.run_bytes - 1) / memory.run_bytes; }
};

double quantile(std::vector<double> times, double part) {
    std::sort(times.begin(), times.end());
    return times[static_cast<std::size_t>(part * static_cast<double>(times.size() - 1))];
}
double median(const std::vector<double> &times) {
    return quantile(times, 0.5);
}

void recode(Case &c, const std::string &hrunc, const fs::path &root, bool counts) {
    fs::path out = c.directory.string() + "-recoded";
    fs::remove_all(out);
    double taken = run({hrunc, "recode", "--root", root, "-o", out, c.directory});
    if (counts) c.recode.push_back(taken);
    c.written = 0;
    for (const auto &entry : fs::directory_iterator(out))
        if (entry.is_regular_file() && !entry.is_symlink()) c.written += entry.file_size();
    fs::remove_all(out);
}

void crit_and_copy(Case &c, const std::string &crit, const fs::path &work) {
    double time = 0;
    for (const auto &entry : fs::directory_iterator(c.directory)) {
        std::string name = entry.path().filename();
        if (entry.path().extension() != ".img" || name.starts_with("pages-")) continue;
        time += run({crit, "decode", "-i", entry.path(), "-o", work / "image.json"});
        time += run({crit, "encode", "-i", work / "image.json", "-o", work / "image.img"});
    }
    c.crit.push_back(time);
    // The heap is holes here and is not in a real dump: they are copied as the zeroes that they stand for.
    c.copy.push_back(run({"cp", "--sparse=never", c.directory / "pages-1.img", work / "pages.img"}));
    for (const char *name : {"image.json", "image.img", "pages.img"}) fs::remove(work / name);
}

void table(const std::vector<Case> &cases) {
    std::printf("%-16s %7s %21s %10s %21s %8s\n", "", "", "hrunc recode", "written", "crit and cp", "ratio");
    std::printf("%-16s %7s %10s %10s %10s %10s %10s %8s\n", "memory", "runs", "median ms", "p90 ms", "bytes", "crit ms",
                "cp ms", "");
    for (const Case &c : cases)
        std::printf("%-16s %7llu %10.1f %10.1f %10llu %10.0f %10.0f %8.4f\n", c.name,
                    static_cast<unsigned long long>(c.runs()), median(c.recode), quantile(c.recode, 0.9),
                    static_cast<unsigned long long>(c.written), median(c.crit), median(c.copy),
                    median(c.recode) / (median(c.crit) + median(c.copy)));
    std::printf("%d calls of recode each, %d of crit and cp, turn by turn\n", kRounds, kCritRounds);
}

void write_json(const std::string &file, const std::vector<Case> &cases, double ratio, double per_run, bool met) {
    std::ofstream out(file);
    out << "{\"cases\": [";
    const char *separator = "";
    for (const Case &c : cases) {
        out << separator << "\n  {\"name\": \"" << c.name << "\", \"memory_bytes\": " << c.memory.bytes
            << ", \"runs\": " << c.runs() << ", \"recode_ms\": " << median(c.recode)
            << ", \"recode_p90_ms\": " << quantile(c.recode, 0.9) << ", \"written_bytes\": " << c.written
            << ", \"crit_ms\": " << median(c.crit) << ", \"cp_ms\": " << median(c.copy) << "}";
        separator = ",";
    }
    out << "],\n \"calls\": " << kRounds << ", \"crit_calls\": " << kCritRounds << ", \"time_ratio\": " << ratio
        << ", \"time_ratio_goal\": " << kTimeGoal << ", \"bytes_per_run\": " << per_run
        << ", \"bytes_per_run_goal\": " << kBytesGoal << ", \"met\": " << (met ? "true" : "false") << "}\n";
}

} // namespace

int main(int argc, char **argv) {
    if (argc < 6) return 2;
    std::string hrunc = argv[1], crit = argv[2], name = argv[4], json;
    fs::path root = argv[3], work = argv[5];
    bool check = false;
    for (int at = 6; at < argc; ++at) {
        if (std::strcmp(argv[at], "--check") == 0) check = true;
        if (std::strcmp(argv[at], "--json") == 0 && at + 1 < argc) json = argv[++at];
    }
    std::vector<Case> cases;
    auto add = [&](const char *title, std::uint64_t megabytes, std::uint64_t run_bytes) {
        cases.push_back(
            {title, {megabytes * kMegabyte, run_bytes}, work / std::to_string(cases.size()), 0, {}, {}, {}});
    };
    add("1 MB", 1, 2 * kMegabyte);
    add("64 MB", 64, 2 * kMegabyte);
    add("1 GB", 1024, 2 * kMegabyte);
    add("4 GB", 4096, 2 * kMegabyte);
    add("4 GB fragmented", 4096, 64 << 10);
    const Case &smallest = cases[0], &largest = cases[3];
    for (Case &c : cases) {
        auto made =
            hrunc::bench::make_checkpoint(c.directory, root, name, hrunc::arch::other(hrunc::arch::host()), c.memory);
        if (!made) {
            std::fprintf(stderr, "bench recode: %s\n", made.error().text().c_str());
            return 1;
        }
    }
    for (int round = -3; round < kRounds; ++round)
        for (Case &c : cases) recode(c, hrunc, root, round >= 0);
    for (int round = 0; round < kCritRounds; ++round)
        for (Case &c : cases) crit_and_copy(c, crit, work);

    double ratio = median(largest.recode) / median(smallest.recode);
    double per_run = (static_cast<double>(largest.written) - static_cast<double>(smallest.written)) /
                     static_cast<double>(largest.runs() - smallest.runs());
    bool met = ratio <= kTimeGoal && per_run <= static_cast<double>(kBytesGoal);
    table(cases);
    if (!json.empty()) write_json(json, cases, ratio, per_run, met);
    std::printf("each further run of 2 MB adds %.1f bytes to what is written; the goal is at most %llu\n", per_run,
                static_cast<unsigned long long>(kBytesGoal));
    std::printf("4 GB take %.2f times as long as 1 MB; the goal is at most %.1f: %s\n", ratio, kTimeGoal,
                met ? "met" : "missed");
    return check && !met ? 1 : 0;
}
