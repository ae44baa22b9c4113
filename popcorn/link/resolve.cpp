#include "popcorn/link/resolve.h"

#include <deque>
#include <map>
#include <set>

#include <fmt/format.h>
#include <llvm/Bitcode/BitcodeReader.h>
#include <llvm/Linker/Linker.h>
#include <llvm/Object/Archive.h>
#include <llvm/Object/IRObjectFile.h>
#include <llvm/Object/SymbolicFile.h>
#include <llvm/Support/FileSystem.h>
#include <llvm/Support/MemoryBuffer.h>
#include <llvm/Support/raw_ostream.h>

#include "popcorn/link/diagnostics.h"
#include "popcorn/link/symbols.h"
#include "popcorn/passes/assembly.h"

namespace hrunc::link {
namespace {

using llvm::file_magic;
using llvm::object::Archive;

struct Symbols {
    std::vector<std::string> defined, undefined;
};

struct Member {
    std::string name; // FILE or FILE(MEMBER)
    llvm::MemoryBufferRef buffer;
    bool taken = false;
};

Error invalid(std::string text) {
    return Error(ErrorCode::kInvalid, std::move(text));
}
Error invalid(const std::string &what, llvm::Error error) {
    return invalid(what + ": " + llvm::toString(std::move(error)));
}

Result<Symbols> symbols_of(const Member &member) {
    file_magic magic = llvm::identify_magic(member.buffer.getBuffer());
    if (magic != file_magic::bitcode)
        return Error(ErrorCode::kRefused, member.name + ": holds no bitcode, but code of one ISA: build it from its C "
                                                        "source with popcorn-cc, or leave it out");
    llvm::LLVMContext context;
    auto file = llvm::object::SymbolicFile::createSymbolicFile(member.buffer, magic, &context);
    if (!file) return invalid(member.name, file.takeError());
    Symbols found;
    for (const auto &symbol : (*file)->symbols()) {
        auto flags = symbol.getFlags();
        if (!flags) return invalid(member.name, flags.takeError());
        if (!(*flags & llvm::object::BasicSymbolRef::SF_Global)) continue;
        if (*flags & llvm::object::BasicSymbolRef::SF_FormatSpecific) continue;
        std::string name;
        llvm::raw_string_ostream stream(name);
        if (auto error = symbol.printName(stream)) return invalid(member.name, std::move(error));
        bool undefined = *flags & llvm::object::BasicSymbolRef::SF_Undefined;
        if (undefined && *flags & llvm::object::BasicSymbolRef::SF_Weak) continue;
        (undefined ? found.undefined : found.defined).push_back(name);
    }
    return found;
}

// What other C libraries have.
std::string_view why_missing(std::string_view name) {
    for (std::string_view context : {"getcontext", "makecontext", "setcontext", "swapcontext"})
        if (name == context) return ": coroutines with stacks of their own cannot be moved; use threads in their place";
    return "";
}

class Files final : public Resolver {
  public:
    explicit Files(const Options &options) : options_(options) {}

    Result<void> load() {
        for (const Input &input : options_.inputs) {
            std::string path = input.name;
            if (input.kind == Input::Kind::kLibrary) {
                HRUNC_ASSIGN(path, find_library(input.name));
            }
            HRUNC_TRY(add_file(path, input.whole));
        }
        return {};
    }

    Result<std::unique_ptr<llvm::Module>> link(llvm::LLVMContext &context, const std::set<std::string> &roots,
                                               const std::set<std::string> &native,
                                               const std::set<std::string> &wanted) override {
        defined_ = native;
        needed_.clear();
        order_.clear();
        for (Member &member : members_) member.taken = false;
        for (size_t i : objects_) HRUNC_TRY(take(i));
        for (const std::string &name : options_.undefined) need(name, "-u");
        for (const std::string &name : roots) need(name, "the runtime");
        for (const std::string &name : wanted)
            if (lazy_.contains(name)) need(name, "the code generators");
        HRUNC_TRY(settle());
        return merge(context);
    }

    bool defines(const std::string &symbol) const override { return lazy_.contains(symbol); }

  private:
    Result<std::string> find_library(const std::string &name) {
        bool exact = name.starts_with(":");
        for (const std::string &directory : options_.search) {
            std::string path =
                exact ? fmt::format("{}/{}", directory, name.substr(1)) : fmt::format("{}/lib{}.a", directory, name);
            if (llvm::sys::fs::exists(path)) return path;
        }
        for (const std::string &directory : options_.search)
            if (std::string shared = fmt::format("{}/lib{}.so", directory, name); llvm::sys::fs::exists(shared))
                return Error(
                    ErrorCode::kRefused,
                    fmt::format("{}: programs that move are static: build lib{}.a with popcorn-cc", shared, name));
        return invalid("cannot find -l" + name);
    }

    Result<void> add_file(const std::string &path, bool whole) {
        auto buffer = llvm::MemoryBuffer::getFile(path);
        if (!buffer) return Error::system("\"" + path + "\"", buffer.getError().value());
        buffers_.push_back(std::move(*buffer));
        llvm::MemoryBufferRef reference = buffers_.back()->getMemBufferRef();
        switch (llvm::identify_magic(reference.getBuffer())) {
        case file_magic::archive:
            return add_archive(path, reference, whole);
        case file_magic::elf_shared_object:
            return Error(ErrorCode::kRefused, path + ": a shared object; programs that move are static");
        default:
            members_.push_back({path, reference});
            objects_.push_back(members_.size() - 1);
            return {};
        }
    }

    Result<void> add_archive(const std::string &path, llvm::MemoryBufferRef reference, bool whole) {
        auto archive = Archive::create(reference);
        if (!archive) return invalid(path, archive.takeError());
        if (whole || !(*archive)->hasSymbolTable()) {
            HRUNC_TRY(add_members(path, **archive, whole));
        } else {
            HRUNC_TRY(add_indexed(path, **archive));
        }
        archives_.push_back(std::move(*archive));
        return {};
    }

    Result<void> add_member(const std::string &path, const Archive::Child &child) {
        auto name = child.getName();
        auto buffer = child.getMemoryBufferRef();
        if (!name) return invalid(path, name.takeError());
        if (!buffer) return invalid(path, buffer.takeError());
        members_.push_back({path + "(" + name->str() + ")", *buffer});
        return {};
    }

    Result<void> add_indexed(const std::string &path, const Archive &archive) {
        std::map<uint64_t, size_t> by_offset;
        for (const Archive::Symbol &symbol : archive.symbols()) {
            auto child = symbol.getMember();
            if (!child) return invalid(path, child.takeError());
            auto [place, fresh] = by_offset.try_emplace(child->getChildOffset(), members_.size());
            if (fresh) HRUNC_TRY(add_member(path, *child));
            lazy_.try_emplace(symbol.getName().str(), place->second);
        }
        return {};
    }

    // One that is taken whole, or that has no index.
    Result<void> add_members(const std::string &path, const Archive &archive, bool whole) {
        llvm::Error problem = llvm::Error::success();
        std::vector<Archive::Child> children;
        for (const Archive::Child &child : archive.children(problem)) children.push_back(child);
        if (problem) return invalid(path, std::move(problem));
        for (const Archive::Child &child : children) {
            HRUNC_TRY(add_member(path, child));
            if (whole) {
                objects_.push_back(members_.size() - 1);
                continue;
            }
            HRUNC_ASSIGN(Symbols symbols, symbols_of(members_.back()));
            for (const std::string &name : symbols.defined) lazy_.try_emplace(name, members_.size() - 1);
        }
        return {};
    }

    Result<void> take(size_t index) {
        Member &member = members_[index];
        if (std::exchange(member.taken, true)) return {};
        order_.push_back(index);
        HRUNC_ASSIGN(Symbols symbols, symbols_of(member));
        defined_.insert(symbols.defined.begin(), symbols.defined.end());
        for (const std::string &name : symbols.undefined) need(name, member.name);
        return {};
    }

    void need(const std::string &name, const std::string &by) {
        if (needed_.try_emplace(name, by).second) queue_.push_back(name);
    }

    // The C library's dlopen always fails.
    void warn(const std::string &name) const {
        auto place = needed_.find(name);
        if (place == needed_.end() || warned_) return;
        fmt::print(
            stderr,
            "popcorn-ld: warning: {}: {}: fails when it is called, since there are no shared objects in a program "
            "that moves; link what it would load into the program\n",
            place->second, name);
    }

    Result<void> settle() {
        while (!queue_.empty()) {
            std::string name = queue_.front();
            queue_.pop_front();
            if (defined_.contains(name) || name.starts_with("llvm.")) continue;
            if (auto place = lazy_.find(name); place != lazy_.end()) HRUNC_TRY(take(place->second));
        }
        std::string missing;
        for (const auto &[name, by] : needed_)
            if (!defined_.contains(name) && !name.starts_with("llvm.") && !is_linker_symbol(name))
                missing += fmt::format("{}{}: undefined reference to `{}'{}", missing.empty() ? "" : "\n", by, name,
                                       why_missing(name));
        if (!missing.empty()) return invalid(missing);
        warn("dlopen");
        warned_ = true; // the program is put together more than once
        return {};
    }

    Result<std::unique_ptr<llvm::Module>> merge(llvm::LLVMContext &context) {
        auto whole = std::make_unique<llvm::Module>("program", context);
        llvm::Linker linker(*whole);
        std::string problem;
        keep_first_error(context, problem);
        for (size_t index : order_) {
            auto part = llvm::parseBitcodeFile(members_[index].buffer, context);
            if (!part) return invalid(members_[index].name, part.takeError());
            if (auto assembly = passes::find_assembly(**part); !assembly.empty())
                return Error(ErrorCode::kRefused, members_[index].name + ": " + assembly[0].text);
            if (linker.linkInModule(std::move(*part))) {
                context.setDiagnosticHandlerCallBack(nullptr, nullptr);
                return invalid(members_[index].name + ": " + problem);
            }
        }
        context.setDiagnosticHandlerCallBack(nullptr, nullptr);
        return whole;
    }

    const Options options_;
    std::vector<std::unique_ptr<llvm::MemoryBuffer>> buffers_;
    std::vector<std::unique_ptr<Archive>> archives_;
    std::vector<Member> members_;
    std::vector<size_t> objects_;
    std::map<std::string, size_t> lazy_; // symbol -> member of an archive

    std::vector<size_t> order_;
    std::set<std::string> defined_;
    std::map<std::string, std::string> needed_; // symbol -> who needs it first
    std::deque<std::string> queue_;
    bool warned_ = false;
};

} // namespace

Result<std::unique_ptr<Resolver>> Resolver::create(const Options &options) {
    auto files = std::make_unique<Files>(options);
    HRUNC_TRY(files->load());
    return std::unique_ptr<Resolver>(std::move(files));
}

} // namespace hrunc::link
