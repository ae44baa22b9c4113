#include "popcorn/driver/query.h"

#include <cstdio>
#include <filesystem>

#include "popcorn/driver/tools.h"
#include "popcorn/link/config.h"

namespace hrunc::driver {
namespace {

namespace fs = std::filesystem;

#if defined(__aarch64__)
constexpr const char *kHost = "aarch64-unknown-linux-musl";
#else
constexpr const char *kHost = "x86_64-unknown-linux-musl";
#endif

constexpr const char *kHelp = R"(Usage: popcorn-cc [OPTION]... FILE...

Compiles C programs that move between x86-64 and aarch64. -o APP writes APP_x86-64, APP_aarch64, and APP, a copy of
the one for this machine. Takes the options of gcc and clang; these mean something else, or are of its own:

  -S                    LLVM's assembly language, not a machine's
  -fPIC -static -flto -mtune=CPU and the like
                        no effect: programs are static and optimised at the link
  -march=CPU -mavx2 and other options for instructions
                        no effect, with a warning (an error with -Werror)
  -shared -m32 -fsanitize=... -fopenmp -pg --coverage
                        refused
  -Wl,--no-capture      a program that cannot be moved, for comparisons
  -Wl,--save-temps=DIR  keep what the link makes on its way
  -Wl,-Map=FILE         the link map

popcorn-ar, -ranlib, -nm, -strip, -objcopy, -objdump, -readelf, -size, -strings and -addr2line take the place of
their namesakes. See popcorn-cc(1).
)";

void print_version(std::FILE *stream) {
    std::fprintf(stream, "clang version %s (popcorn-cc %s)\nTarget: %s\nThread model: posix\nInstalledDir: %s/bin\n",
                 link::kLlvmVersion, link::kVersion, kHost, root().c_str());
}

// The file if it is there, or else the name alone, as other compilers have it.
std::string existing(const std::string &path, const std::string &otherwise) {
    std::error_code ignored;
    return fs::exists(path, ignored) ? path : otherwise;
}

std::string library_file(const std::string &name) {
    // The front end's own headers; the path holds nothing else.
    if (name == "include") return std::string(link::kResources) + "/include";
    return existing(root() + "/lib/popcorn/" + name, name);
}

} // namespace

Result<void> answer(const std::string &query) {
    size_t dashes = query.starts_with("--print-") ? 2 : 1, cut = query.find('=');
    std::string name = query.substr(dashes, cut - dashes), value = cut == query.npos ? "" : query.substr(cut + 1);
    std::string text;
    if (query == "--version" || query == "-v")
        return print_version(query == "-v" ? stderr : stdout), Result<void>();
    else if (query == "--help")
        return std::fputs(kHelp, stdout), Result<void>();
    else if (name == "dumpmachine" || name == "print-target-triple" || name == "print-effective-triple")
        text = kHost;
    else if (name == "dumpversion" || name == "dumpfullversion")
        text = link::kLlvmVersion;
    else if (name == "print-file-name")
        text = library_file(value);
    else if (name == "print-libgcc-file-name")
        text = library_file("libgcc.a");
    else if (name == "print-prog-name")
        text = existing(root() + "/bin/popcorn-" + value, value);
    else if (name == "print-search-dirs")
        text = "programs: =" + root() + "/bin\nlibraries: =" + root() + "/lib/popcorn";
    else if (name == "print-resource-dir")
        text = link::kResources;
    else if (name == "print-multi-directory" || name == "print-multi-os-directory")
        text = ".";
    else if (name == "print-multi-lib")
        text = ".;";
    else if (name != "print-multiarch" && name != "print-sysroot")
        return Error(ErrorCode::kInvalid, query + ": unknown option");
    std::puts(text.c_str());
    return {};
}

} // namespace hrunc::driver
