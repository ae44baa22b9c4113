#include "popcorn/link/executables.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "popcorn/link/config.h"
#include "popcorn/link/isa.h"
#include "popcorn/link/layout.h"
#include "popcorn/link/symbols.h"
#include "popcorn/link/verify.h"

namespace hrunc::link {
namespace {

namespace fs = std::filesystem;

// Helpers that pass or return structures: the program would use the front end's convention, these the ISA's.
constexpr std::array kStructureHelpers = {"__mulsc3", "__muldc3", "__multc3", "__mulxc3", "__mulhc3",
                                          "__divsc3", "__divdc3", "__divtc3", "__divxc3", "__divhc3"};

struct Inputs {
    std::array<std::vector<Object>, 2> objects;
    std::set<std::string> missing;
    std::set<std::string> native; // what the members of libgcc define
};

// The program's object, the runtime's, and of libgcc what they need.
Result<Inputs> gather(const std::array<std::string, 2> &objects, const Runtime &runtime, const Workspace &work) {
    Inputs inputs;
    for (size_t i = 0; i < 2; i++) {
        HRUNC_ASSIGN(Object program, read_object(objects[i]));
        auto &list = inputs.objects[i];
        list.push_back(program);
        list.insert(list.end(), runtime.objects[i].begin(), runtime.objects[i].end());
        std::set<std::string> defined, undefined;
        for (const Object &object : list) {
            defined.insert(object.defined.begin(), object.defined.end());
            undefined.insert(object.undefined.begin(), object.undefined.end());
        }
        std::erase_if(undefined,
                      [&](const std::string &name) { return defined.contains(name) || is_linker_symbol(name); });
        for (const char *name : kStructureHelpers)
            if (undefined.contains(name))
                return Error(ErrorCode::kInternal,
                             std::string(name) + ": has no bitcode; libgcc's has another convention");
        std::string directory = work.path(kIsas[i].name);
        fs::create_directories(directory);
        HRUNC_ASSIGN(auto taken, take_native(runtime.archives[i], directory, defined, undefined));
        inputs.missing.insert(undefined.begin(), undefined.end());
        for (const std::string &path : taken) {
            HRUNC_ASSIGN(Object object, read_object(path));
            object.kind = Object::Kind::kHelper;
            inputs.native.insert(object.defined.begin(), object.defined.end());
            list.push_back(object);
        }
    }
    return inputs;
}

Result<std::array<std::string, 2>> link_pair(const Options &options, const Inputs &inputs, bool sites,
                                             const Workspace &work) {
    HRUNC_ASSIGN(auto scripts, make_scripts(inputs.objects, sites));
    std::array<std::string, 2> linked;
    for (size_t i = 0; i < 2; i++) {
        std::string name = kIsas[i].name, script = work.path(name + ".ld");
        linked[i] = work.path("linked-" + name);
        HRUNC_TRY(write_file(script, scripts[i]));
        std::vector<std::string> command = {kLinker,
                                            "-m",
                                            kIsas[i].emulation,
                                            "-static",
                                            "-T",
                                            script,
                                            "-o",
                                            linked[i],
                                            "-z",
                                            "max-page-size=0x10000",
                                            "-z",
                                            "noexecstack",
                                            "-z",
                                            "norelro",
                                            "--orphan-handling=place",
                                            "--no-gc-sections",
                                            "--no-call-graph-profile-sort",
                                            options.build_id ? "--build-id=sha1" : "--build-id=none"};
        if (options.strip_all) command.push_back("-s");
        if (options.strip_debug) command.push_back("-S");
        if (!options.map.empty() && i == 0) command.insert(command.end(), {"-Map", options.map});
        for (const Object &object : inputs.objects[i]) command.push_back(object.path);
        if (sites) command.push_back(work.path("sites-" + name + ".o"));
        HRUNC_TRY_IN(run_tool(command), name);
    }
    return linked;
}

// A section of given contents as an object, made by the assembler's `.incbin`.
Result<void> write_sites(const std::array<std::string, 2> &tables, const Workspace &work) {
    size_t size = std::max(tables[0].size(), tables[1].size());
    for (size_t i = 0; i < 2; i++) {
        std::string name = kIsas[i].name, bytes = tables[i];
        bytes.resize(size);
        HRUNC_TRY(write_file(work.path("sites-" + name), bytes));
        HRUNC_TRY(write_file(work.path("sites-" + name + ".s"),
                             ".section .popcorn.sites, \"a\", %progbits\n.balign 64\n.incbin \"" +
                                 work.path("sites-" + name) + "\"\n"));
        HRUNC_TRY_IN(run_tool({kAssembler, std::string("-triple=") + kIsas[i].triple, "-filetype=obj", "-o",
                               work.path("sites-" + name + ".o"), work.path("sites-" + name + ".s")}),
                     name);
    }
    return {};
}

Result<void> put(const std::string &from, const std::string &to) {
    std::error_code problem;
    std::string part = to + ".popcorn-part";
    fs::copy_file(from, part, fs::copy_options::overwrite_existing, problem);
    if (!problem) fs::rename(part, to, problem);
    if (problem) return Error::system("\"" + to + "\"", problem.value());
    return {};
}

#if defined(__aarch64__)
constexpr size_t kHost = 1;
#else
constexpr size_t kHost = 0;
#endif

} // namespace

Result<Runtime> read_runtime(const std::string &directory) {
    Runtime runtime;
    std::array<std::set<std::string>, 2> defined;
    for (size_t i = 0; i < 2; i++) {
        std::error_code problem;
        std::vector<std::string> paths;
        for (const auto &entry : fs::directory_iterator(directory + "/" + kIsas[i].name, problem))
            paths.push_back(entry.path().string());
        if (problem) return Error::system("\"" + directory + "/" + kIsas[i].name + "\"", problem.value());
        std::sort(paths.begin(), paths.end());
        for (const std::string &path : paths) {
            if (path.ends_with(".a")) runtime.archives[i].push_back(path);
            if (!path.ends_with(".o")) continue;
            HRUNC_ASSIGN(Object object, read_object(path));
            object.kind = Object::Kind::kRuntime;
            defined[i].insert(object.defined.begin(), object.defined.end());
            runtime.needed.insert(object.undefined.begin(), object.undefined.end());
            runtime.objects[i].push_back(std::move(object));
        }
    }
    for (const std::string &name : defined[0])
        if (defined[1].contains(name)) runtime.defined.insert(name);
    std::erase_if(runtime.needed, [&](const std::string &name) {
        return defined[0].contains(name) || defined[1].contains(name) || is_linker_symbol(name);
    });
    return runtime;
}

Result<std::set<std::string>> missing_symbols(const std::array<std::string, 2> &objects, const Runtime &runtime,
                                              const Workspace &work) {
    HRUNC_ASSIGN(Inputs inputs, gather(objects, runtime, work));
    return inputs.missing;
}

Result<void> link_executables(const Options &options, const SiteTables &sites, const Runtime &runtime,
                              const std::array<std::string, 2> &objects, const Workspace &work) {
    HRUNC_ASSIGN(Inputs inputs, gather(objects, runtime, work));
    HRUNC_ASSIGN(auto linked, link_pair(options, inputs, false, work));
    bool stackmaps = false;
    for (const Section &section : inputs.objects[0][0].sections) stackmaps |= section.name == ".llvm_stackmaps";
    if (sites && stackmaps) {
        HRUNC_ASSIGN(auto tables, sites(linked));
        HRUNC_TRY(write_sites(tables, work));
        HRUNC_ASSIGN(linked, link_pair(options, inputs, true, work));
    }
    HRUNC_TRY(verify_pair(linked[0], linked[1], inputs.native));
    // Who links to /dev/null only wants to know whether it works.
    std::error_code ignored;
    if (fs::is_character_file(options.output, ignored)) return {};
    for (size_t i = 0; i < 2; i++) HRUNC_TRY(put(linked[i], options.output + "_" + kIsas[i].name));
    return put(linked[kHost], options.output);
}

} // namespace hrunc::link
