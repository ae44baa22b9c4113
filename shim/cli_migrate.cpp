#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <utility>

#include "migrate/migration.h"
#include "oci/json.h"
#include "shim/command_line.h"
#include "shim/verbs.h"

namespace hrunc::shim {

namespace {

struct Options {
    migrate::Request request;
    bool recover = false, json = false;
};

void describe(CLI::App &app, Options &options) {
    migrate::Request &request = options.request;
    app.add_option("-p,--port", request.port, "port of ssh on HOST")->type_name("PORT")->check(CLI::Range(1, 65535));
    app.add_option("--name", request.name, "the container's name on HOST (default: as here)")->type_name("NAME");
    app.add_option("--image", request.image_file, "what `docker save` wrote, for HOST if it lacks the image")
        ->type_name("FILE");
    app.add_flag("--volumes", request.volumes, "send the content of the container's volumes, too");
    app.add_flag("--keep-source", request.keep_source, "keep the container here, stopped");
    app.add_flag("--dry-run", request.dry_run, "check both ends, and change nothing");
    app.add_flag("--recover", options.recover, "finish or undo what was killed in the middle; takes no CONTAINER");
    app.add_flag("--json", options.json, "report as JSON");
    app.add_option("CONTAINER", request.container, "name or id of a running container")->option_text(" ");
    app.add_option("[USER@]HOST", request.host, "where to, for ssh; its user has to be root there")->option_text(" ");
    app.footer("Whatever fails, the container runs at exactly one end; so it does after Ctrl-C.\n"
               "\n"
               "Examples:\n"
               "  hrunc migrate web root@pi\n"
               "  hrunc migrate --dry-run web root@pi\n"
               "  hrunc migrate --recover\n"
               "\n"
               "Exit code: 0 done, 1 failed, 2 a call that makes no sense.");
}

std::string megabytes(std::uint64_t bytes) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f MB", static_cast<double>(bytes) / 1e6);
    return text.data();
}

std::string seconds(double time) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.2f s", time);
    return text.data();
}

// One line on a terminal, written over again and again; nothing elsewhere.
class Line {
  public:
    void show(const std::string &act, std::uint64_t bytes) {
        auto now = std::chrono::steady_clock::now();
        if (act != act_) {
            act_ = act;
            began_ = now;
        } else if (now - shown_ < std::chrono::milliseconds(200)) {
            return;
        }
        shown_ = now;
        std::string text = act;
        if (bytes > 0) {
            double time = std::chrono::duration<double>(now - began_).count();
            text += ": " + megabytes(bytes);
            if (time > 0)
                text += ", " + megabytes(static_cast<std::uint64_t>(static_cast<double>(bytes) / time)) + "/s";
        }
        write(text);
    }
    void clear() { write(""); }

  private:
    void write(const std::string &text) const {
        if (terminal_) std::fprintf(stderr, "\r\033[K%s", text.c_str());
    }

    bool terminal_ = isatty(STDERR_FILENO) != 0;
    std::string act_;
    std::chrono::steady_clock::time_point began_, shown_;
};

std::string as_json(const Options &options, const migrate::Report &report) {
    oci::Json json{
        {"container", report.container},
        {"host", options.request.host},
        {"name", report.name},
        {"id", report.id},
        {"moved", report.problems.empty() && !options.request.dry_run},
        {"problems", report.problems},
        {"notes", report.notes},
        {"seconds", {{"down", report.down}, {"dump", report.dump}, {"send", report.send}, {"restore", report.restore}}},
        {"bytes", {{"ahead", report.ahead_bytes}, {"sent", report.sent_bytes}}},
    };
    return oci::to_text(json, 2) + "\n";
}

std::string as_text(const Options &options, const migrate::Report &report) {
    std::string text = report.container + ": ";
    if (options.request.dry_run) return text + "nothing stands in the way of a move to " + options.request.host + "\n";
    text += "runs on " + options.request.host + (report.name == report.container ? "" : " as " + report.name) + "\n";
    text += "down " + seconds(report.down) + ": checkpoint " + seconds(report.dump) + ", sending " +
            seconds(report.send) + ", restore " + seconds(report.restore) + "\n";
    text += "sent " + megabytes(report.sent_bytes) + ", and " + megabytes(report.ahead_bytes) + " ahead\n";
    for (const std::string &note : report.notes) text += "note: " + note + "\n";
    return text;
}

// Options that contradict each other; empty if none do.
std::string contradiction(const Options &options) {
    const migrate::Request &request = options.request;
    if (options.recover) return request.container.empty() ? "" : "--recover takes no CONTAINER";
    if (request.container.empty()) return "CONTAINER is required";
    if (request.host.empty()) return "[USER@]HOST is required";
    return "";
}

int recover_main(const Options &options) {
    Result<migrate::Recovery> recovery = migrate::recover();
    if (!recovery) return report(std::move(recovery).error().in("migrate --recover"));
    if (options.json) std::fputs((oci::to_text(oci::Json{{"recovered", recovery->lines}}, 2) + "\n").c_str(), stdout);
    for (const std::string &line : recovery->lines)
        if (!options.json) std::fputs((line + "\n").c_str(), stdout);
    return recovery->failed ? 1 : 0;
}

} // namespace

int migrate_main(const std::vector<std::string> &arguments) {
    CLI::App app("Moves a running container to another host, with Docker at both ends.", "hrunc migrate");
    Options options;
    describe(app, options);
    if (std::optional<int> code = parse_arguments(app, arguments)) return *code;
    if (std::string mistake = contradiction(options); !mistake.empty()) {
        (void)report(Error(ErrorCode::kInvalid, "migrate: " + mistake + "; see \"hrunc help migrate\""));
        return kUsageError;
    }
    if (options.recover) return recover_main(options);

    std::string act = "migrate " + oci::in_quotes(options.request.container);
    Line line;
    Result<migrate::Report> done = migrate::migrate(
        options.request, [&line](const std::string &what, std::uint64_t bytes) { line.show(what, bytes); });
    line.clear();
    if (!done) return report(std::move(done).error().in(act));
    for (const std::string &problem : done->problems)
        if (!options.json) (void)report(Error(ErrorCode::kRefused, problem).in(act));
    if (options.json)
        std::fputs(as_json(options, *done).c_str(), stdout);
    else if (done->problems.empty())
        std::fputs(as_text(options, *done).c_str(), stdout);
    return done->problems.empty() ? 0 : 1;
}

} // namespace hrunc::shim
