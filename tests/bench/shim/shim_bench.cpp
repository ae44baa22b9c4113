// shim_bench RUNC HRUNC ROOT ID [--json FILE] [--check]: the time of `state ID` through both, turn by turn, so that
// whatever else the machine does meets both. The figure that decides is the difference of the medians.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

namespace {

constexpr int kRounds = 300;
constexpr double kGoal = 3.0; // milliseconds

double milliseconds_of(const std::string &program, const std::string &root, const std::string &id) {
    std::string verb = "state", option = "--root";
    std::vector<char *> argv{const_cast<char *>(program.c_str()), option.data(),
                             const_cast<char *>(root.c_str()),    verb.data(),
                             const_cast<char *>(id.c_str()),      nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    auto began = std::chrono::steady_clock::now();
    pid_t child = 0;
    int status = 0;
    if (posix_spawn(&child, program.c_str(), &actions, nullptr, argv.data(), environ) != 0 ||
        waitpid(child, &status, 0) != child || status != 0) {
        std::fprintf(stderr, "bench shim: %s state %s failed\n", program.c_str(), id.c_str());
        std::exit(1);
    }
    std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - began;
    posix_spawn_file_actions_destroy(&actions);
    return taken.count();
}

struct Series {
    const char *name;
    std::vector<double> times;
    double quantile(double part) const {
        return times[static_cast<std::size_t>(part * static_cast<double>(times.size() - 1))];
    }
};

} // namespace

int main(int argc, char **argv) {
    if (argc < 5) return 2;
    std::string json;
    bool check = false;
    for (int at = 5; at < argc; ++at) {
        if (std::strcmp(argv[at], "--check") == 0) check = true;
        if (std::strcmp(argv[at], "--json") == 0 && at + 1 < argc) json = argv[++at];
    }
    Series runc{"runc", {}}, hrunc{"hrunc", {}};
    for (int warm = 0; warm < 20; ++warm) {
        milliseconds_of(argv[1], argv[3], argv[4]);
        milliseconds_of(argv[2], argv[3], argv[4]);
    }
    for (int round = 0; round < kRounds; ++round) {
        runc.times.push_back(milliseconds_of(argv[1], argv[3], argv[4]));
        hrunc.times.push_back(milliseconds_of(argv[2], argv[3], argv[4]));
    }
    std::printf("%-12s %10s %10s %10s   (ms, %d calls each)\n", "", "median", "p10", "p90", kRounds);
    for (Series *series : {&runc, &hrunc}) {
        std::sort(series->times.begin(), series->times.end());
        std::printf("%-6s state %10.2f %10.2f %10.2f\n", series->name, series->quantile(0.5), series->quantile(0.1),
                    series->quantile(0.9));
    }
    double overhead = hrunc.quantile(0.5) - runc.quantile(0.5);
    bool met = overhead < kGoal;
    if (!json.empty())
        std::ofstream(json) << "{\"calls\": " << kRounds << ", \"runc_ms\": " << runc.quantile(0.5)
                            << ", \"hrunc_ms\": " << hrunc.quantile(0.5) << ", \"overhead_ms\": " << overhead
                            << ", \"goal_ms\": " << kGoal << ", \"met\": " << (met ? "true" : "false") << "}\n";
    std::printf("hrunc adds %.2f ms to a call; the goal is less than %.1f ms: %s\n", overhead, kGoal,
                met ? "met" : "missed");
    return check && !met ? 1 : 0;
}
