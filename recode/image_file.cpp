#include "recode/image_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include <google/protobuf/descriptor.h>

#include "recode/text.h"

namespace hrunc::recode {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

constexpr int kMaxMessageDepth = 100; // protobuf's own limit for parsing
constexpr std::size_t kWriteBehind = std::size_t{256} << 10;

std::string little_endian(std::uint32_t word) {
    std::string bytes;
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(word >> shift & 0xff));
    return bytes;
}

// One field of a message on the wire.
struct WireField {
    std::uint64_t number;
    std::size_t begin, value, end; // of the tag, of the value (behind a length), of the next field
    bool delimited;
};

class Wire {
  public:
    explicit Wire(std::string_view bytes) : bytes_(bytes) {}

    bool varint(std::uint64_t *value) {
        *value = 0;
        for (unsigned shift = 0; shift < 64 && at_ < bytes_.size(); shift += 7) {
            auto byte = static_cast<std::uint8_t>(bytes_[at_++]);
            *value |= std::uint64_t{byte & 0x7fU} << shift;
            if ((byte & 0x80) == 0) return true;
        }
        return false;
    }

    // Groups are not read: CRIU writes none.
    bool field(WireField *out) {
        std::uint64_t tag = 0, size = 0;
        out->begin = at_;
        if (!varint(&tag)) return false;
        out->number = tag >> 3;
        out->delimited = (tag & 7) == 2;
        switch (tag & 7) {
        case 0:
            out->value = at_;
            if (!varint(&size)) return false;
            size = 0;
            break;
        case 1:
            size = 8;
            break;
        case 2:
            if (!varint(&size)) return false;
            break;
        case 5:
            size = 4;
            break;
        default:
            return false;
        }
        if (size > bytes_.size() - at_) return false;
        out->value = at_;
        at_ += static_cast<std::size_t>(size);
        out->end = at_;
        return true;
    }

    bool at_end() const { return at_ == bytes_.size(); }

  private:
    std::string_view bytes_;
    std::size_t at_ = 0;
};

// Orders the fields of the message in [data, data + size) by number, in place: protobuf writes those that it does not
// know last, CRIU writes by number. Equal numbers keep their order. False for groups and beyond the depth limit.
bool order_fields(char *data, std::size_t size, const Descriptor *type, int depth) {
    if (depth > kMaxMessageDepth) return false;
    std::vector<WireField> fields;
    Wire wire(std::string_view(data, size));
    while (!wire.at_end()) {
        WireField field{};
        if (!wire.field(&field)) return false;
        fields.push_back(field);
        const FieldDescriptor *known =
            field.delimited ? type->FindFieldByNumber(static_cast<int>(field.number)) : nullptr;
        if (known && known->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
            !order_fields(data + field.value, field.end - field.value, known->message_type(), depth + 1))
            return false;
    }
    auto by_number = [](const WireField &a, const WireField &b) { return a.number < b.number; };
    if (std::is_sorted(fields.begin(), fields.end(), by_number)) return true;
    std::stable_sort(fields.begin(), fields.end(), by_number);
    std::string ordered;
    ordered.reserve(size);
    for (const WireField &field : fields) ordered.append(data + field.begin, field.end - field.begin);
    std::copy(ordered.begin(), ordered.end(), data);
    return true;
}

// Gathers small pieces into large writes.
class Writer {
  public:
    explicit Writer(Fd file) : file_(std::move(file)) {}

    Result<void> append(std::string_view bytes) {
        buffer_.append(bytes);
        written_ += bytes.size();
        return buffer_.size() >= kWriteBehind ? flush() : Result<void>();
    }
    Result<void> copy(const Fd &source, Extent extent) {
        std::string part;
        while (extent.size > 0) {
            part.resize(static_cast<std::size_t>(std::min<std::uint64_t>(extent.size, kWriteBehind)));
            HRUNC_TRY(read_exactly_at(source, part.data(), part.size(), extent.offset));
            HRUNC_TRY(append(part));
            extent.offset += part.size();
            extent.size -= part.size();
        }
        return {};
    }
    Result<void> flush() {
        HRUNC_TRY(write_all(file_, buffer_));
        buffer_.clear();
        return {};
    }
    std::uint64_t written() const { return written_; }

  private:
    Fd file_;
    std::string buffer_;
    std::uint64_t written_ = 0;
};

} // namespace

Result<std::string> encode_message(const google::protobuf::Message &message) {
    const std::string &type = message.GetDescriptor()->name();
    if (!message.IsInitialized())
        return Error(ErrorCode::kInternal, "message " + type + " lacks " + message.InitializationErrorString());
    std::string bytes;
    if (!message.SerializeToString(&bytes)) return Error(ErrorCode::kInternal, "message " + type + " is too large");
    if (!order_fields(bytes.data(), bytes.size(), message.GetDescriptor(), 0))
        return Error(ErrorCode::kInvalid, "message " + type + " holds a group or is nested deeper than " +
                                              std::to_string(kMaxMessageDepth) + " (kMaxMessageDepth)");
    return bytes;
}

Result<Image> Image::make(const std::string &name) {
    auto type = parse_image_name(name);
    if (!type) return Error(ErrorCode::kInvalid, quoted(name) + ": not the name of a CRIU image");
    if (type->type->header == ImageHeader::kNone)
        return Error(ErrorCode::kInvalid, name + ": a raw image, which has no messages");
    Image image;
    image.name_ = name;
    image.type_ = *type;
    return image;
}

Result<Image> Image::read(const Fd &directory, const std::string &name) {
    HRUNC_ASSIGN(ImageReader reader, ImageReader::open(directory, name));
    HRUNC_ASSIGN(Image image, make(name));
    std::uint64_t content = 0;
    for (;;) {
        HRUNC_ASSIGN(auto entry, reader.next());
        if (!entry) break;
        content += entry->payload.offset - entry->offset;
        std::string at = name + ": offset " + std::to_string(entry->offset) + ": ";
        if (content > kMaxImageContent)
            return Error(ErrorCode::kInvalid, at + "more than the limit of " + std::to_string(kMaxImageContent) +
                                                  " bytes of messages (kMaxImageContent)");
        if (image.entries_.size() == kMaxImageEntries)
            return Error(ErrorCode::kInvalid, at + "more than the limit of " + std::to_string(kMaxImageEntries) +
                                                  " entries (kMaxImageEntries)");
        image.entries_.push_back(std::move(*entry));
    }
    image.source_ = std::move(reader).take_file();
    return image;
}

Result<std::uint64_t> Image::write(const Fd &directory) const {
    HRUNC_ASSIGN(Fd file, open_beneath(directory, name_, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    if (fchmod(file.get(), 0600) != 0) return Error::system("chmod \"" + name_ + "\"");
    Writer writer(std::move(file));
    const ImageType &type = *type_.type;
    if (type.header == ImageHeader::kCommon) HRUNC_TRY_IN(writer.append(little_endian(kCommonMagic)), name_);
    if (type.header == ImageHeader::kService) HRUNC_TRY_IN(writer.append(little_endian(kServiceMagic)), name_);
    HRUNC_TRY_IN(writer.append(little_endian(type.magic)), name_);
    for (const ImageEntry &entry : entries_) {
        HRUNC_ASSIGN_IN(std::string bytes, encode_message(*entry.message), name_);
        HRUNC_TRY_IN(writer.append(little_endian(static_cast<std::uint32_t>(bytes.size()))), name_);
        HRUNC_TRY_IN(writer.append(bytes), name_);
        HRUNC_TRY_IN(writer.copy(source_, entry.payload), name_);
    }
    HRUNC_TRY_IN(writer.flush(), name_);
    return writer.written();
}

} // namespace hrunc::recode
