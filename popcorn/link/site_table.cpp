#include "popcorn/link/site_table.h"

#include "popcorn/abi.h"
#include "popcorn/link/stack_maps.h"
#include "popcorn/passes/capture.h"
#include "popcorn/runtime/sites.h"

#include <llvm/DebugInfo/DWARF/DWARFContext.h>
#include <llvm/DebugInfo/DWARF/DWARFDebugFrame.h>
#include <llvm/Object/ELFObjectFile.h>
#include <llvm/Support/MemoryBuffer.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace hrunc::popcorn {
namespace {

// How an ISA's DWARF numbers map to those of sites.h, and which registers a caller may find saved.
struct Isa {
    unsigned first_vector, vectors; // DWARF's
    std::vector<unsigned> saved;
};

const Isa kX86{17, 16, {3, 6, 12, 13, 14, 15}};
const Isa kAarch64{64, 32, {19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 72, 73, 74, 75, 76, 77, 78, 79}};

int table_register(const Isa &isa, unsigned dwarf) {
    if (dwarf >= isa.first_vector && dwarf < isa.first_vector + isa.vectors)
        return static_cast<int>(32 + dwarf - isa.first_vector);
    return dwarf < 32 && dwarf < isa.first_vector - (isa.first_vector == 17 ? 1 : 0) ? static_cast<int>(dwarf) : -1;
}

std::string text(llvm::Error error) {
    return llvm::toString(std::move(error));
}

std::string hex(std::uint64_t value) {
    char digits[20];
    std::snprintf(digits, sizeof digits, "%#llx", static_cast<unsigned long long>(value));
    return digits;
}

// The rows of all functions, by address.
class Frames {
  public:
    static Result<Frames> read(const llvm::object::ObjectFile &file) {
        Frames frames;
        frames.context_ = llvm::DWARFContext::create(file);
        for (bool eh : {true, false}) {
            auto section = eh ? frames.context_->getEHFrame() : frames.context_->getDebugFrame();
            if (!section) return Error(ErrorCode::kInvalid, "unwind tables: " + text(section.takeError()));
            for (const llvm::dwarf::FrameEntry &entry : (*section)->entries())
                if (const auto *fde = llvm::dyn_cast<llvm::dwarf::FDE>(&entry))
                    frames.functions_[fde->getInitialLocation()] = fde;
        }
        return frames;
    }

    // The row that holds at an instruction; stays valid until the next call.
    Result<const llvm::dwarf::UnwindRow *> row_at(std::uint64_t address) {
        auto found = functions_.upper_bound(address);
        if (found == functions_.begin()) return missing(address);
        const llvm::dwarf::FDE *fde = std::prev(found)->second;
        if (address >= fde->getInitialLocation() + fde->getAddressRange()) return missing(address);
        if (fde != current_) {
            auto table = llvm::dwarf::UnwindTable::create(fde);
            if (!table)
                return Error(ErrorCode::kInvalid, "unwind table of " + hex(address) + ": " + text(table.takeError()));
            table_.emplace(std::move(*table));
            current_ = fde;
        }
        const llvm::dwarf::UnwindRow *best = nullptr;
        for (const llvm::dwarf::UnwindRow &row : *table_)
            if (row.getAddress() <= address) best = &row;
        if (best == nullptr) return missing(address);
        return best;
    }

  private:
    static Error missing(std::uint64_t address) {
        return {ErrorCode::kInternal, "no unwind table covers " + hex(address)};
    }

    std::unique_ptr<llvm::DWARFContext> context_;
    std::map<std::uint64_t, const llvm::dwarf::FDE *> functions_;
    const llvm::dwarf::FDE *current_ = nullptr;
    std::optional<llvm::dwarf::UnwindTable> table_;
};

// Equal parts once.
template <typename T> class Pool {
  public:
    std::uint32_t add(const std::vector<T> &items) {
        std::string key(reinterpret_cast<const char *>(items.data()), items.size() * sizeof(T));
        auto [found, fresh] = known_.emplace(key, static_cast<std::uint32_t>(items_.size()));
        if (fresh) items_.insert(items_.end(), items.begin(), items.end());
        return found->second;
    }
    const std::vector<T> &items() const { return items_; }

  private:
    std::map<std::string, std::uint32_t> known_;
    std::vector<T> items_;
};

class Builder {
  public:
    Builder(const Isa &isa, Frames &frames) : isa_(isa), frames_(frames) {}

    Result<void> add(const StackMapRecord &record) {
        popcorn_site_row row{};
        row.function = static_cast<std::uint32_t>(record.id >> 32);
        row.index = static_cast<std::uint32_t>(record.id);
        std::uint64_t &frame = table_.frames[row.function];
        frame = std::max(frame, record.frame);
        HRUNC_ASSIGN(row.unwind, unwind(record.return_address - 1));
        std::vector<popcorn_location> locations;
        HRUNC_TRY(locate(record, row, locations));
        row.first_location = locations_.add(locations);
        row.locations = static_cast<std::uint16_t>(locations.size());
        rows_.emplace_back(record.return_address, row);
        return check_shape(record, row, locations);
    }

    Result<SiteTable> finish() {
        std::sort(rows_.begin(), rows_.end(), [](auto &a, auto &b) { return a.first < b.first; });
        popcorn_sites head{POPCORN_SITES_MAGIC,
                           POPCORN_SITES_VERSION,
                           rows_.empty() ? 0 : rows_.front().first,
                           static_cast<std::uint32_t>(rows_.size()),
                           static_cast<std::uint32_t>(unwinds_.items().size()),
                           static_cast<std::uint32_t>(saved_.items().size()),
                           static_cast<std::uint32_t>(locations_.items().size())};
        put(&head, sizeof head);
        for (auto &[address, row] : rows_) {
            if (address - head.base > UINT32_MAX) return Error(ErrorCode::kInvalid, "the code is larger than 4 GiB");
            row.address = static_cast<std::uint32_t>(address - head.base);
            put(&row, sizeof row);
        }
        pad();
        put_all(unwinds_.items());
        put_all(saved_.items());
        put_all(locations_.items());
        return std::move(table_);
    }

  private:
    void put(const void *data, std::size_t size) {
        const auto *bytes = static_cast<const std::uint8_t *>(data);
        table_.bytes.insert(table_.bytes.end(), bytes, bytes + size);
    }
    void pad() { table_.bytes.resize((table_.bytes.size() + 7) & ~std::size_t{7}); }
    template <typename T> void put_all(const std::vector<T> &items) {
        put(items.data(), items.size() * sizeof(T));
        pad();
    }

    static Error bad(const StackMapRecord &record, const std::string &what) {
        return {ErrorCode::kInternal, "site " + hex(record.id) + " at " + hex(record.return_address) + ": " + what};
    }

    Result<std::uint32_t> unwind(std::uint64_t address) {
        HRUNC_ASSIGN(const llvm::dwarf::UnwindRow *row, frames_.row_at(address));
        const llvm::dwarf::UnwindLocation &cfa = row->getCFAValue();
        if (cfa.getLocation() != llvm::dwarf::UnwindLocation::RegPlusOffset)
            return Error(ErrorCode::kInternal, "the frame at " + hex(address) + " has no register and offset");
        popcorn_unwind unwind{};
        unwind.cfa_offset = cfa.getOffset();
        unwind.cfa_register = static_cast<std::uint16_t>(table_register(isa_, cfa.getRegister()));
        std::vector<popcorn_saved> saved;
        for (unsigned dwarf : isa_.saved) {
            auto where = row->getRegisterLocations().getRegisterLocation(dwarf);
            if (!where || where->getLocation() == llvm::dwarf::UnwindLocation::Same) continue;
            if (where->getLocation() == llvm::dwarf::UnwindLocation::Undefined) continue;
            if (where->getLocation() != llvm::dwarf::UnwindLocation::CFAPlusOffset)
                return Error(ErrorCode::kInternal, "a register's place at " + hex(address) + " is not known");
            saved.push_back({where->getOffset(), static_cast<std::uint32_t>(table_register(isa_, dwarf))});
        }
        unwind.saved = static_cast<std::uint16_t>(saved.size());
        unwind.first_saved = saved_.add(saved);
        return unwinds_.add({unwind});
    }

    Result<void> locate(const StackMapRecord &record, popcorn_site_row &row, std::vector<popcorn_location> &locations) {
        constexpr std::size_t kHead = 3;
        const auto &deopt = record.deopt;
        for (std::size_t i = 0; i < kHead; i++)
            if (i >= deopt.size() || deopt[i].kind != StackMapLocation::kConstant) return bad(record, "no description");
        auto wide = static_cast<std::size_t>(deopt[2].value);
        row.floors = (deopt[0].value & kBundleFloors) != 0;
        row.copy = (deopt[0].value & kBundleCopy) != 0;
        row.allocas = static_cast<std::uint16_t>(deopt[1].value & 0x3fff);
        if (deopt[1].value > 0x3fff || deopt.size() > 0xffff || wide > deopt.size() - kHead)
            return bad(record, "too many values");
        std::map<std::size_t, std::uint8_t> words;
        for (std::size_t i = 0; i < wide; i++) {
            auto description = static_cast<std::uint64_t>(deopt[kHead + i].value);
            words[description >> 8] = static_cast<std::uint8_t>(description);
        }
        std::size_t next = kHead + wide;
        if ((deopt[0].value & kBundleObjects) != 0) {
            if (next == deopt.size() || deopt[next].kind != StackMapLocation::kDirect) return bad(record, "no copy");
            HRUNC_ASSIGN(auto location, place(record, deopt[next++], 1));
            location.kind = POPCORN_INDIRECT;
            location.offset += static_cast<std::int32_t>(sizeof(popcorn_frame));
            for (unsigned i = row.allocas + (row.floors ? 2U : 0U); i > 0; i--, location.offset += 8)
                locations.push_back(location);
        }
        for (; next < deopt.size(); next++) {
            auto known = words.find(locations.size());
            HRUNC_ASSIGN(auto location,
                         place(record, deopt[next], known == words.end() ? std::uint8_t{1} : known->second));
            locations.push_back(location);
        }
        if (locations.size() > 0xffff) return bad(record, "too many values");
        if (row.copy && (locations.size() != 1 || locations[0].kind != POPCORN_DIRECT)) return bad(record, "no copy");
        return {};
    }

    Result<popcorn_location> place(const StackMapRecord &record, const StackMapLocation &from, std::uint8_t words) {
        popcorn_location location{};
        location.kind = from.kind;
        location.words = words;
        auto most = static_cast<std::uint16_t>(8 * words);
        if (from.value > INT32_MAX || from.value < INT32_MIN) {
            if (from.kind != StackMapLocation::kConstant) return bad(record, "an offset of more than 32 bits");
            return wide_constant(from.value, words);
        }
        location.offset = static_cast<std::int32_t>(from.value);
        location.bytes = static_cast<std::uint8_t>(most);
        if (from.kind == StackMapLocation::kConstant) return location;
        int reg = table_register(isa_, from.dwarf_register);
        if (reg < 0) return bad(record, "register " + std::to_string(from.dwarf_register));
        location.reg = static_cast<std::uint8_t>(reg);
        if (from.kind == StackMapLocation::kIndirect) {
            // The slot of a whole vector register may hold a number in its lower part.
            location.bytes = static_cast<std::uint8_t>(std::min(from.size, most));
        } else if (from.kind == StackMapLocation::kRegister) {
            if (most > 16 || (reg < 32 && most > 8)) return bad(record, "a value wider than its register");
        } else if (from.kind != StackMapLocation::kDirect) {
            return bad(record, "location of kind " + std::to_string(from.kind));
        }
        return location;
    }

    popcorn_location wide_constant(std::int64_t value, std::uint8_t words) {
        popcorn_location bytes{}, location{};
        static_assert(sizeof bytes == sizeof value);
        std::memcpy(&bytes, &value, sizeof value);
        location.kind = POPCORN_WIDE_CONSTANT;
        location.words = words;
        location.bytes = sizeof value;
        location.offset = static_cast<std::int32_t>(locations_.add({bytes}));
        return location;
    }

    Result<void> check_shape(const StackMapRecord &record, const popcorn_site_row &row,
                             const std::vector<popcorn_location> &locations) {
        std::vector<std::uint8_t> shape{static_cast<std::uint8_t>(row.floors), static_cast<std::uint8_t>(row.allocas),
                                        static_cast<std::uint8_t>(row.allocas >> 8)};
        for (const popcorn_location &location : locations) shape.push_back(location.words);
        auto [known, fresh] = table_.shapes.emplace(record.id, shape);
        if (!fresh && known->second != shape) return bad(record, "two calls of the site record different values");
        return {};
    }

    const Isa &isa_;
    Frames &frames_;
    SiteTable table_;
    std::vector<std::pair<std::uint64_t, popcorn_site_row>> rows_;
    Pool<popcorn_unwind> unwinds_;
    Pool<popcorn_saved> saved_;
    Pool<popcorn_location> locations_;
};

// Return addresses and what aligns frames, beside what the code generator counts.
constexpr std::uint64_t kFrameMargin = 64;

void tell_frames(SiteTable &table) {
    popcorn_sites head{};
    std::memcpy(&head, table.bytes.data(), sizeof head);
    for (std::uint32_t i = 0; i < head.rows; i++) {
        std::uint8_t *at = table.bytes.data() + sizeof head + sizeof(popcorn_site_row) * i;
        popcorn_site_row row{};
        std::memcpy(&row, at, sizeof row);
        std::uint64_t most = table.frames[row.function];
        row.resumed = most < UINT32_MAX - kFrameMargin ? static_cast<std::uint32_t>(most + kFrameMargin) : UINT32_MAX;
        std::memcpy(at, &row, sizeof row);
    }
}

} // namespace

Result<SiteTable> make_site_table(std::span<const std::uint8_t> elf) {
    llvm::MemoryBufferRef buffer(llvm::StringRef(reinterpret_cast<const char *>(elf.data()), elf.size()), "executable");
    auto file = llvm::object::ObjectFile::createELFObjectFile(buffer);
    if (!file) return Error(ErrorCode::kInvalid, text(file.takeError()));
    bool x86 = (*file)->getArch() == llvm::Triple::x86_64;
    if (!x86 && (*file)->getArch() != llvm::Triple::aarch64)
        return Error(ErrorCode::kInvalid, "an executable for neither x86-64 nor aarch64");
    std::vector<StackMapRecord> records;
    for (const llvm::object::SectionRef &section : (*file)->sections()) {
        auto name = section.getName();
        if (!name) return Error(ErrorCode::kInvalid, text(name.takeError()));
        if (*name != ".llvm_stackmaps") continue;
        auto contents = section.getContents();
        if (!contents) return Error(ErrorCode::kInvalid, text(contents.takeError()));
        std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t *>(contents->data()), contents->size());
        HRUNC_ASSIGN(records, read_stack_maps(bytes));
    }
    HRUNC_ASSIGN(auto frames, Frames::read(**file));
    Builder builder(x86 ? kX86 : kAarch64, frames);
    std::stable_sort(records.begin(), records.end(),
                     [](auto &a, auto &b) { return a.return_address < b.return_address; });
    for (const StackMapRecord &record : records) HRUNC_TRY(builder.add(record));
    HRUNC_ASSIGN(SiteTable table, builder.finish());
    tell_frames(table);
    return table;
}

Result<void> make_agree(SiteTable &a, SiteTable &b) {
    for (const auto &[id, shape] : a.shapes) {
        // A code generator may have found that a call is never reached.
        auto found = b.shapes.find(id);
        if (found != b.shapes.end() && found->second != shape)
            return Error(ErrorCode::kInternal, "the ISAs disagree in site " + hex(id));
    }
    for (auto [from, to] : {std::pair{&a, &b}, std::pair{&b, &a}})
        for (auto [function, frame] : from->frames) to->frames[function] = std::max(to->frames[function], frame);
    tell_frames(a);
    tell_frames(b);
    return {};
}

Result<std::array<std::string, 2>> make_site_tables(const std::array<std::string, 2> &executables) {
    std::array<SiteTable, 2> tables;
    std::array<std::string, 2> contents;
    for (std::size_t i = 0; i < 2; i++) {
        auto file = llvm::MemoryBuffer::getFile(executables[i]);
        if (!file) return Error::system("\"" + executables[i] + "\"", file.getError().value());
        const auto *bytes = reinterpret_cast<const std::uint8_t *>((*file)->getBufferStart());
        HRUNC_ASSIGN_IN(tables[i], make_site_table({bytes, (*file)->getBufferSize()}), "\"" + executables[i] + "\"");
    }
    HRUNC_TRY(make_agree(tables[0], tables[1]));
    for (std::size_t i = 0; i < 2; i++) contents[i].assign(tables[i].bytes.begin(), tables[i].bytes.end());
    return contents;
}

} // namespace hrunc::popcorn
