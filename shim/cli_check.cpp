#include <chrono>
#include <cstdio>

#include "oci/json.h"
#include "shim/command_line.h"
#include "shim/findings.h"
#include "shim/host_facts.h"
#include "shim/remote.h"
#include "shim/verbs.h"

namespace hrunc::shim {

namespace {

constexpr int kNotFound = 127; // as a shell says it

struct Options {
    std::string host;
    bool json = false;
};

// One host with what was found about it.
struct Judged {
    HostFacts facts;
    std::vector<Finding> findings;
};

struct Pair {
    Judged here, there;
    std::vector<Finding> findings;
};

std::uint64_t now() {
    auto time = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

std::size_t lacking(const std::vector<Finding> &findings) {
    return static_cast<std::size_t>(std::ranges::count(findings, Finding::Status::kLacking, &Finding::status));
}

Result<Judged> this_host() {
    Judged host;
    HRUNC_ASSIGN(host.facts, this_hosts_facts());
    host.findings = judge(host.facts);
    return host;
}

Result<Judged> other_host(const std::string &name) {
    HRUNC_ASSIGN(Captured said, run_on(name, "hrunc check --json", kMaxFactsText));
    if (said.exit_code == kNotFound)
        return Error(ErrorCode::kPeer, name + " has no hrunc on its PATH: install it there");
    Judged host;
    // 1: something is lacking, and the facts are there as with 0.
    if (said.exit_code > 1)
        return Error(ErrorCode::kPeer, "hrunc on " + name + " has no check, or failed (exit code " +
                                           std::to_string(said.exit_code) + "): install this version there");
    HRUNC_ASSIGN_IN(host.facts, host_facts_from_json(said.output), "what hrunc check says on " + name);
    host.findings = judge(host.facts);
    return host;
}

oci::Json to_json(const std::vector<Finding> &findings) {
    oci::Json json = oci::Json::array();
    for (const Finding &finding : findings)
        json.push_back({{"name", finding.name},
                        {"status", name_of(finding.status)},
                        {"text", finding.text},
                        {"remedy", finding.remedy}});
    return json;
}

oci::Json to_json(const Judged &host) {
    return {{"lacking", lacking(host.findings)},
            {"facts", oci::Json::parse(shim::to_json(host.facts))},
            {"findings", to_json(host.findings)}};
}

std::string as_text(const std::vector<Finding> &findings) {
    std::string text;
    for (const Finding &finding : findings) {
        std::string status(name_of(finding.status));
        text += status + std::string(9 - status.size(), ' ') + finding.name +
                std::string(16 - finding.name.size(), ' ') + finding.text +
                (finding.remedy.empty() ? "" : "; " + finding.remedy) + "\n";
    }
    return text;
}

int check_this_host(const Options &options) {
    Result<Judged> host = this_host();
    if (!host) return report(std::move(host).error().in("check"));
    std::fputs((options.json ? oci::to_text(to_json(*host), 2) + "\n" : as_text(host->findings)).c_str(), stdout);
    return lacking(host->findings) > 0 ? 1 : 0;
}

Result<Pair> judged_pair(const std::string &name) {
    Pair pair;
    HRUNC_ASSIGN(pair.here, this_host());
    std::uint64_t asked = now();
    HRUNC_ASSIGN(pair.there, other_host(name));
    pair.findings = judge_pair(pair.here.facts, pair.there.facts, asked, now());
    return pair;
}

int check_pair(const Options &options) {
    Result<Pair> pair = judged_pair(options.host);
    if (!pair) return report(std::move(pair).error().in("check"));
    std::size_t sum = lacking(pair->here.findings) + lacking(pair->there.findings) + lacking(pair->findings);
    std::string text;
    if (options.json) {
        oci::Json json{{"lacking", sum},
                       {"here", to_json(pair->here)},
                       {"there", to_json(pair->there)},
                       {"pair", to_json(pair->findings)}};
        text = oci::to_text(json, 2) + "\n";
    } else {
        text = "this host, " + pair->here.facts.name + ":\n" + as_text(pair->here.findings) + "\n" + options.host +
               ", " + pair->there.facts.name + ":\n" + as_text(pair->there.findings) + "\nboth:\n" +
               as_text(pair->findings);
    }
    std::fputs(text.c_str(), stdout);
    return sum > 0 ? 1 : 0;
}

} // namespace

int check_main(const std::vector<std::string> &arguments) {
    CLI::App app("Says what this host, or a pair of hosts, lacks for containers to move.", "hrunc check");
    Options options;
    app.add_flag("--json", options.json, "as JSON, with the facts behind it");
    app.add_option("HOST", options.host, "[user@]HOST: the other host of a pair, by ssh; it needs hrunc too")
        ->option_text(" ");
    app.footer("One line for each thing: ok, warning or lacking, with the remedy. Only root can ask criu.\n"
               "\n"
               "Examples:\n"
               "  hrunc check\n"
               "  hrunc check root@pi\n"
               "\n"
               "Exit code: 0 nothing is lacking, 1 something is, or the check failed, 2 a call that makes no sense.");
    if (std::optional<int> code = parse_arguments(app, arguments)) return *code;
    return options.host.empty() ? check_this_host(options) : check_pair(options);
}

} // namespace hrunc::shim
