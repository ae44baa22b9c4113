#include <cstdio>

#include "base/fd.h"
#include "oci/document.h"
#include "recode/recode.h"
#include "shim/command_line.h"
#include "shim/verbs.h"

namespace hrunc::shim {

namespace {

struct Options {
    std::string target, output, root, host, seccomp, bundle, images;
    bool json = false;
};

void describe(CLI::App &app, Options &options) {
    app.add_option("-t,--target", options.target, "ISA to recode for: x86-64 or aarch64 (default: this host's)")
        ->type_name("ARCH")
        ->check(CLI::Validator(
            [](std::string &name) {
                return arch::from_name(name) ? std::string() : "\"" + name + "\" is neither x86-64 nor aarch64";
            },
            ""));
    app.add_option("-o,--output", options.output, "directory to make; must not exist")->type_name("OUT")->required();
    app.add_option("--root", options.root, "root file system that the container will have")->type_name("ROOTFS");
    app.add_option("--host", options.host, "what `hrunc host` printed on the target (default: this host)")
        ->type_name("FILE");
    app.add_option("--seccomp", options.seccomp, "the container's OCI seccomp profile, as JSON")->type_name("PROFILE");
    app.add_option("--bundle", options.bundle, "OCI bundle to take root, mounts and profile from")->type_name("DIR");
    app.add_flag("--json", options.json, "report as JSON");
    app.add_option("DIR", options.images, "the checkpoint: CRIU's image directory")->required()->option_text(" ");
    app.footer("The checkpoint stays as it is and has to stay where it is: OUT holds what changed and names the rest.\n"
               "\n"
               "Examples:\n"
               "  hrunc recode -o recoded --root /srv/rootfs checkpoint\n"
               "  hrunc recode -t aarch64 --host pi.json --bundle bundle -o recoded checkpoint\n"
               "\n"
               "Exit code: 0 done, 1 failed, 2 a call that makes no sense.");
}

Result<recode::Host> target_host(const Options &options) {
    std::optional<arch::Isa> wanted = arch::from_name(options.target);
    if (options.host.empty()) {
        if (wanted && *wanted != arch::host())
            return Error(ErrorCode::kRefused, "--target " + std::string(arch::name(*wanted)) + ": this host is " +
                                                  std::string(arch::name(arch::host())) +
                                                  "; give --host FILE with what `hrunc host` prints on the target");
        return recode::this_host();
    }
    HRUNC_ASSIGN_IN(std::string text, read_file(options.host, recode::kMaxHostText), "--host");
    HRUNC_ASSIGN_IN(recode::Host host, recode::host_from_json(text), "--host " + oci::in_quotes(options.host));
    if (wanted && *wanted != host.isa)
        return Error(ErrorCode::kRefused, "--target " + std::string(arch::name(*wanted)) + ": --host " +
                                              oci::in_quotes(options.host) + " describes an " +
                                              std::string(arch::name(host.isa)) + " host");
    return host;
}

Result<recode::Request> request_from(const Options &options) {
    recode::Request request;
    request.images = options.images;
    request.output = options.output;
    HRUNC_ASSIGN(request.target, target_host(options));
    if (!options.bundle.empty()) {
        HRUNC_ASSIGN_IN(oci::Bundle bundle, oci::read_bundle(options.bundle), "--bundle");
        request.root = bundle.root;
        request.seccomp_profile = bundle.seccomp;
        request.no_new_privileges = bundle.no_new_privileges;
        for (const oci::Mount &mount : bundle.mounts)
            if (mount.bind) request.mounts[mount.destination] = mount.source;
    }
    if (!options.root.empty()) request.root = options.root;
    if (!options.seccomp.empty()) {
        HRUNC_ASSIGN_IN(request.seccomp_profile, read_file(options.seccomp, oci::kDocumentLimit), "--seccomp");
    }
    return request;
}

std::string as_json(const recode::Report &report) {
    oci::Json json{
        {"from", arch::name(report.from)},
        {"to", arch::name(report.to)},
        {"processes", report.processes},
        {"threads", report.threads},
        {"bytesWritten", report.bytes_written},
        {"pagesWritten", report.pages_written},
        {"pagesInParent", report.pages_in_parent},
        {"changed", report.changed},
        {"notes", report.notes},
    };
    return oci::to_text(json, 2) + "\n";
}

std::string as_text(const recode::Report &report, const std::string &output) {
    std::string text = output + ": " + std::string(arch::name(report.from)) + " to " +
                       std::string(arch::name(report.to)) + ", " + std::to_string(report.processes) + " processes, " +
                       std::to_string(report.threads) + " threads\n" + std::to_string(report.bytes_written) +
                       " bytes written; " + std::to_string(report.pages_written) + " pages written, " +
                       std::to_string(report.pages_in_parent) + " left in the checkpoint\n";
    for (const std::string &name : report.changed) text += "changed: " + name + "\n";
    for (const std::string &note : report.notes) text += "note: " + note + "\n";
    return text;
}

} // namespace

int recode_main(const std::vector<std::string> &arguments) {
    CLI::App app("Makes a checkpoint fit another host.", "hrunc recode");
    Options options;
    describe(app, options);
    if (std::optional<int> code = parse_arguments(app, arguments)) return *code;

    std::string act = "recode " + oci::in_quotes(options.images);
    Result<recode::Request> request = request_from(options);
    if (!request) return report(std::move(request).error().in(act));
    Result<recode::Report> done = recode::recode(*request);
    if (!done) return report(std::move(done).error().in(act));
    std::fputs((options.json ? as_json(*done) : as_text(*done, options.output)).c_str(), stdout);
    return 0;
}

} // namespace hrunc::shim
