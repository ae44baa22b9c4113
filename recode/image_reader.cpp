#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>

#include <google/protobuf/descriptor.h>

#include "recode/image_file.h"
#include "recode/images/data.pb.h"
#include "recode/text.h"

namespace hrunc::recode {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr std::size_t kReadAhead = std::size_t{64} << 10;

std::uint32_t little_endian(const std::array<std::uint8_t, 4> &word) {
    return word[0] | std::uint32_t{word[1]} << 8 | std::uint32_t{word[2]} << 16 | std::uint32_t{word[3]} << 24;
}

// The first required field that is missing, as "Core.thread_info", or an empty text. The parser has bounded the depth.
std::string missing_field(const Message &message) {
    const auto *type = message.GetDescriptor();
    const auto *reflection = message.GetReflection();
    for (int i = 0; i < type->field_count(); ++i)
        if (type->field(i)->is_required() && !reflection->HasField(message, type->field(i)))
            return type->name() + "." + type->field(i)->name();
    for (int i = 0; i < type->field_count(); ++i) {
        const FieldDescriptor *field = type->field(i);
        if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
        if (!field->is_repeated()) {
            if (!reflection->HasField(message, field)) continue;
            if (auto name = missing_field(reflection->GetMessage(message, field)); !name.empty()) return name;
            continue;
        }
        for (int n = 0; n < reflection->FieldSize(message, field); ++n)
            if (auto name = missing_field(reflection->GetRepeatedMessage(message, field, n)); !name.empty())
                return name;
    }
    return {};
}

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
    return (value + unit - 1) / unit * unit;
}

} // namespace

Result<Fd> open_image(const Fd &directory, const std::string &name) {
    // O_NONBLOCK: opening a fifo would wait for its writer; O_NOCTTY: a terminal would become this process's.
    HRUNC_ASSIGN(Fd file, open_beneath(directory, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW));
    struct stat status{};
    if (fstat(file.get(), &status) != 0) return Error::system("stat \"" + name + "\"");
    if (!S_ISREG(status.st_mode)) return Error(ErrorCode::kInvalid, "\"" + name + "\": not a regular file");
    return file;
}

Error ImageReader::invalid(std::uint64_t offset, const std::string &what) const {
    return Error(ErrorCode::kInvalid, name_ + ": offset " + std::to_string(offset) + ": " + what);
}

Result<ImageReader> ImageReader::open(const Fd &directory, const std::string &name) {
    HRUNC_ASSIGN(Fd file, open_image(directory, name));
    return on(std::move(file), name);
}

Result<ImageReader> ImageReader::on(Fd file, const std::string &name) {
    ImageReader reader;
    auto type = parse_image_name(name);
    if (!type) return Error(ErrorCode::kInvalid, quoted(name) + ": not the name of a CRIU image");
    if (type->type->header == ImageHeader::kNone)
        return Error(ErrorCode::kInvalid, name + ": a raw image, which has no messages");
    struct stat status{};
    if (fstat(file.get(), &status) != 0) return Error::system("stat \"" + name + "\"");
    reader.file_ = std::move(file);
    reader.name_ = name;
    reader.type_ = *type;
    reader.size_ = static_cast<std::uint64_t>(std::max<off_t>(status.st_size, 0));
    HRUNC_TRY(reader.read_header());
    return reader;
}

Result<void> ImageReader::read_header() {
    const ImageType &type = *type_.type;
    auto expect = [&](std::uint32_t magic, const char *what) -> Result<void> {
        std::array<std::uint8_t, 4> word{};
        std::uint64_t at = offset_;
        HRUNC_TRY(fill(word.data(), word.size(), what));
        if (std::uint32_t found = little_endian(word); found != magic)
            return invalid(at, std::string(what) + " " + hex(found) + ": " + hex(magic) + " belongs here");
        return {};
    };
    if (type.header == ImageHeader::kCommon) HRUNC_TRY(expect(kCommonMagic, "common magic"));
    if (type.header == ImageHeader::kService) HRUNC_TRY(expect(kServiceMagic, "service magic"));
    return expect(type.magic, "magic");
}

Result<void> ImageReader::fill(void *out, std::size_t size, const char *what) {
    if (size > size_ - offset_)
        return invalid(offset_, std::string(what) + " of " + std::to_string(size) + " bytes: the file ends after " +
                                    std::to_string(size_ - offset_));
    auto *to = static_cast<char *>(out);
    while (size > 0) {
        if (offset_ < buffer_offset_ || offset_ - buffer_offset_ >= buffer_.size()) {
            buffer_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kReadAhead, size_ - offset_)));
            HRUNC_TRY_IN(read_exactly_at(file_, buffer_.data(), buffer_.size(), offset_), name_);
            buffer_offset_ = offset_;
        }
        std::size_t from = static_cast<std::size_t>(offset_ - buffer_offset_);
        std::size_t part = std::min(size, buffer_.size() - from);
        std::memcpy(to, buffer_.data() + from, part);
        to += part;
        offset_ += part;
        size -= part;
    }
    return {};
}

Result<std::unique_ptr<Message>> ImageReader::read_message(const Message &prototype) {
    std::uint64_t at = offset_;
    std::array<std::uint8_t, 4> word{};
    HRUNC_TRY(fill(word.data(), word.size(), "size of a message"));
    std::uint32_t size = little_endian(word);
    if (size > kMaxImageMessage)
        return invalid(at, "message of " + std::to_string(size) + " bytes: more than the limit of " +
                               std::to_string(kMaxImageMessage) + " (kMaxImageMessage)");
    if (size > size_ - offset_)
        return invalid(at, "message of " + std::to_string(size) + " bytes: the file ends after " +
                               std::to_string(size_ - offset_));
    std::string bytes(size, '\0');
    HRUNC_TRY(fill(bytes.data(), bytes.size(), "message"));
    std::unique_ptr<Message> message(prototype.New());
    if (!message->ParsePartialFromString(bytes))
        return invalid(at, "not a message of type " + prototype.GetDescriptor()->name());
    if (auto field = missing_field(*message); !field.empty())
        return invalid(at, "required field " + field + " missing");
    return message;
}

// Skips over the messages of a SysV queue; each has its own size word and is padded to 8 bytes.
Result<std::uint64_t> ImageReader::message_queue_size(std::uint32_t messages) {
    std::uint64_t begin = offset_;
    for (std::uint32_t i = 0; i < messages; ++i) {
        HRUNC_ASSIGN(auto message, read_message(images::QueuedMessage::default_instance()));
        std::uint64_t size = round_up(static_cast<const images::QueuedMessage &>(*message).size(), 8);
        if (size > size_ - offset_)
            return invalid(offset_, "queued message of " + std::to_string(size) + " bytes: the file ends after " +
                                        std::to_string(size_ - offset_));
        offset_ += size;
    }
    std::uint64_t size = offset_ - begin;
    offset_ = begin;
    return size;
}

Result<std::uint64_t> ImageReader::payload_size(const Message &message, bool first) {
    switch (type_.type->kind) {
    case ImageKind::kPipesData:
    case ImageKind::kFifoData:
        return std::uint64_t{static_cast<const images::PipeData &>(message).bytes()};
    case ImageKind::kSocketQueues:
        return std::uint64_t{static_cast<const images::SocketPacket &>(message).length()};
    case ImageKind::kTcpStream: {
        const auto &stream = static_cast<const images::TcpStream &>(message);
        return std::uint64_t{stream.in_length()} + stream.out_length();
    }
    case ImageKind::kBpfMapData: {
        const auto &map = static_cast<const images::BpfMapData &>(message);
        return std::uint64_t{map.key_bytes()} + map.value_bytes();
    }
    case ImageKind::kIpcSemaphores:
        return round_up(std::uint64_t{2} * static_cast<const images::SemaphoreSet &>(message).count(), 8);
    case ImageKind::kIpcMessages:
        return message_queue_size(static_cast<const images::MessageQueue &>(message).count());
    case ImageKind::kIpcShared: {
        const auto &memory = static_cast<const images::SharedMemory &>(message);
        if (memory.in_pagemap()) return std::uint64_t{0};
        if (memory.size() > size_) return memory.size(); // refused by the caller; spares round_up the overflow
        return round_up(memory.size(), 4);
    }
    case ImageKind::kGhostFile:
        if (!first) return static_cast<const images::GhostChunk &>(message).length();
        if (static_cast<const images::GhostFile &>(message).chunks()) return std::uint64_t{0};
        return size_ - offset_;
    default:
        return std::uint64_t{0};
    }
}

Result<std::optional<ImageEntry>> ImageReader::next() {
    if (offset_ == size_) return std::optional<ImageEntry>();
    ImageEntry entry;
    entry.offset = offset_;
    HRUNC_ASSIGN(entry.message, read_message(*image_prototype(type_.type->kind, first_)));
    HRUNC_ASSIGN(std::uint64_t size, payload_size(*entry.message, first_));
    if (size > size_ - offset_)
        return invalid(entry.offset, "payload of " + std::to_string(size) + " bytes: the file ends after " +
                                         std::to_string(size_ - offset_));
    entry.payload = Extent{offset_, size};
    offset_ += size;
    first_ = false;
    return std::optional<ImageEntry>(std::move(entry));
}

} // namespace hrunc::recode
