#include "popcorn/link/stack_maps.h"

#include <cstring>
#include <string>

namespace hrunc::popcorn {
namespace {

class Reader {
  public:
    explicit Reader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

    template <typename T> T get() {
        T value{};
        if (left() < sizeof value) {
            failed_ = true;
            at_ = bytes_.size();
            return value;
        }
        std::memcpy(&value, bytes_.data() + at_, sizeof value);
        at_ += sizeof value;
        return value;
    }
    void skip(std::size_t count) { at_ += count < left() ? count : left(); }
    void align() { skip((8 - at_ % 8) % 8); }
    std::size_t left() const { return bytes_.size() - at_; }
    std::size_t at() const { return at_; }
    bool failed() const { return failed_; }

  private:
    std::span<const std::uint8_t> bytes_;
    std::size_t at_ = 0;
    bool failed_ = false;
};

Error broken(const Reader &reader, const std::string &what) {
    return {ErrorCode::kInvalid, ".llvm_stackmaps at offset " + std::to_string(reader.at()) + ": " + what};
}

Result<StackMapLocation> read_location(Reader &reader) {
    StackMapLocation location;
    auto kind = reader.get<std::uint8_t>();
    if (kind < StackMapLocation::kRegister || kind > StackMapLocation::kConstantIndex)
        return broken(reader, "a location of kind " + std::to_string(kind));
    location.kind = static_cast<StackMapLocation::Kind>(kind);
    reader.skip(1);
    location.size = reader.get<std::uint16_t>();
    location.dwarf_register = reader.get<std::uint16_t>();
    reader.skip(2);
    location.value = reader.get<std::int32_t>();
    return location;
}

struct Function {
    std::uint64_t address, frame, records;
};

Result<StackMapRecord> read_record(Reader &reader, const std::vector<std::uint64_t> &constants,
                                   const Function &function) {
    StackMapRecord record;
    record.id = reader.get<std::uint64_t>();
    record.function = function.address;
    record.frame = function.frame;
    record.return_address = function.address + reader.get<std::uint32_t>();
    reader.skip(2);
    std::vector<StackMapLocation> locations(reader.get<std::uint16_t>());
    for (StackMapLocation &location : locations) {
        HRUNC_ASSIGN(location, read_location(reader));
        if (location.kind != StackMapLocation::kConstantIndex) continue;
        auto index = static_cast<std::uint32_t>(location.value);
        if (index >= constants.size()) return broken(reader, "constant " + std::to_string(index) + " is not there");
        location.kind = StackMapLocation::kConstant;
        location.value = static_cast<std::int64_t>(constants[index]);
    }
    reader.align();
    reader.skip(2);
    reader.skip(std::size_t{4} * reader.get<std::uint16_t>()); // live-outs
    reader.align();
    constexpr std::size_t kHead = 3;
    if (locations.size() < kHead) return broken(reader, "a record that is no statepoint's");
    auto count = static_cast<std::uint64_t>(locations[2].value);
    if (count > locations.size() - kHead)
        return broken(reader, std::to_string(count) + " deopt operands are not there");
    record.deopt.assign(locations.begin() + kHead, locations.begin() + kHead + static_cast<std::ptrdiff_t>(count));
    return record;
}

Result<void> read_map(Reader &reader, std::vector<StackMapRecord> &records) {
    if (reader.get<std::uint8_t>() != 3) return broken(reader, "not version 3");
    reader.skip(3);
    auto functions = reader.get<std::uint32_t>(), constants = reader.get<std::uint32_t>();
    auto count = reader.get<std::uint32_t>();
    std::vector<Function> list;
    for (std::uint32_t i = 0; i < functions && !reader.failed(); i++) {
        auto address = reader.get<std::uint64_t>(), frame = reader.get<std::uint64_t>();
        list.push_back({address, frame, reader.get<std::uint64_t>()});
    }
    std::vector<std::uint64_t> values;
    for (std::uint32_t i = 0; i < constants && !reader.failed(); i++) values.push_back(reader.get<std::uint64_t>());
    std::uint64_t total = 0;
    for (const Function &function : list)
        for (std::uint64_t i = 0; i < function.records && !reader.failed(); i++, total++) {
            HRUNC_ASSIGN(auto record, read_record(reader, values, function));
            records.push_back(std::move(record));
        }
    if (reader.failed()) return broken(reader, "the section ends early");
    if (total != count) return broken(reader, "the number of records is wrong");
    return {};
}

} // namespace

Result<std::vector<StackMapRecord>> read_stack_maps(std::span<const std::uint8_t> bytes) {
    Reader reader(bytes);
    std::vector<StackMapRecord> records;
    while (reader.left() >= 16) HRUNC_TRY(read_map(reader, records));
    return records;
}

} // namespace hrunc::popcorn
