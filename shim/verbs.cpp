#include "shim/verbs.h"

#include <array>
#include <cstdio>

#include "shim/log.h"

namespace hrunc::shim {

namespace {

constexpr std::array kOwnVerbs{
    Verb{"setup", "register hrunc with Docker, or take that back", setup_main},
    Verb{"check", "say what this host, or a pair of hosts, lacks", check_main},
    Verb{"migrate", "move a running container to another host, with Docker", migrate_main},
    Verb{"recode", "make a checkpoint fit another host", recode_main},
    Verb{"inspect", "show what is in a checkpoint", inspect_main},
    Verb{"host", "describe this host, for recoding elsewhere", host_main},
    Verb{"notify", "bring a process to a point where it can migrate", notify_main},
};

std::string help_text() {
    std::string text =
        "hrunc is runc whose containers move between x86-64 and aarch64. It does checkpoint and restore\n"
        "itself, with runc and criu; all else it hands to runc.\n"
        "\n"
        "Usage: hrunc [runc's global options] VERB [OPTIONS] [ARGUMENTS]\n"
        "\n"
        "Verbs of its own:\n";
    for (const Verb &verb : kOwnVerbs)
        text +=
            "  " + std::string(verb.name) + std::string(10 - verb.name.size(), ' ') + std::string(verb.summary) + "\n";
    return text + "\n"
                  "\"hrunc help VERB\" says more on each. Manual pages: hrunc(1), hrunc.json(5).\n"
                  "Configuration: /etc/hrunc/hrunc.json.\n"
                  "\n"
                  "runc's own help:\n"
                  "\n";
}

} // namespace

std::span<const Verb> own_verbs() {
    return kOwnVerbs;
}

const Verb *find_own_verb(std::string_view name) {
    for (const Verb &verb : kOwnVerbs)
        if (verb.name == name) return &verb;
    return nullptr;
}

int help_main(const Invocation &invocation) {
    std::size_t topic = invocation.verb_index + 1;
    if (!invocation.help && topic < invocation.argv.size()) {
        const Verb *verb = find_own_verb(invocation.argv[topic]);
        return verb != nullptr ? verb->run({"--help"}) : fatal(exec_runc(invocation));
    }
    std::fputs(help_text().c_str(), stdout);
    std::fflush(stdout);
    return fatal(exec_runc(invocation));
}

} // namespace hrunc::shim
