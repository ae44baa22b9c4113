// One CRIU image file as a list of typed messages, read and written so that what is not understood passes through.
//
//   file    = [common or service magic] magic entry*        each magic a little-endian 32-bit word
//   entry   = size message payload                          size: 32-bit, of the message
//   payload = bytes whose length the message tells (pipe contents, socket queues, ghost files ...)
//
// Source: https://criu.org/Images and CRIU lib/pycriu/images. CRIU writes a message's fields in the order of their
// numbers; so does this, unknown fields too, and an image that is read and written again keeps its bytes.
//
// Images come from another host: every size is checked against a limit and against the file before it is used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <google/protobuf/message.h>

#include "base/fd.h"
#include "base/result.h"
#include "recode/image_type.h"

namespace hrunc::recode {

inline constexpr std::size_t kMaxImageMessage = std::size_t{16} << 20;  // bytes of one message
inline constexpr std::size_t kMaxImageContent = std::size_t{256} << 20; // bytes of all messages of an image in memory
inline constexpr std::size_t kMaxImageEntries = std::size_t{4} << 20;   // of an image in memory

// Opens a regular file of an image directory for reading: beneath it, no symlinks, nothing that blocks or has side
// effects on opening (fifo, device). For raw images, and used by all readers here.
Result<Fd> open_image(const Fd &directory, const std::string &name);

// Where an entry's payload stands in its file.
struct Extent {
    std::uint64_t offset = 0, size = 0; // bytes
};

struct ImageEntry {
    std::unique_ptr<google::protobuf::Message> message;
    Extent payload;           // of size 0 where there is none
    std::uint64_t offset = 0; // of the entry's size word, for error messages
};

// Reads one entry after another, in memory of one entry. Errors are kInvalid and name file and offset:
//     core-7.img: offset 8: message of 4294967295 bytes: more than the limit of 16777216 (kMaxImageMessage)
class ImageReader {
  public:
    // `name` decides the type; a name that is not CRIU's or of a raw image is kInvalid, and so is another magic.
    static Result<ImageReader> open(const Fd &directory, const std::string &name);
    // The same on a file that is already open (a seekable one); `name` as above.
    static Result<ImageReader> on(Fd file, const std::string &name);

    // Nothing at the end of the file.
    Result<std::optional<ImageEntry>> next();

    const ImageName &type() const { return type_; }
    const std::string &name() const { return name_; }
    const Fd &file() const { return file_; }
    Fd take_file() && { return std::move(file_); }

  private:
    ImageReader() = default;
    Error invalid(std::uint64_t offset, const std::string &what) const;
    Result<void> read_header();
    Result<void> fill(void *out, std::size_t size, const char *what);
    Result<std::unique_ptr<google::protobuf::Message>> read_message(const google::protobuf::Message &prototype);
    Result<std::uint64_t> payload_size(const google::protobuf::Message &message, bool first);
    Result<std::uint64_t> message_queue_size(std::uint32_t messages);

    Fd file_;
    std::string name_;
    ImageName type_;
    std::uint64_t offset_ = 0, size_ = 0; // of the next entry; of the file
    bool first_ = true;
    std::string buffer_; // read ahead, from buffer_offset_
    std::uint64_t buffer_offset_ = 0;
};

// An image in memory. Payloads stay in the source file, which is kept open and copied from when written.
class Image {
  public:
    static Result<Image> read(const Fd &directory, const std::string &name);
    // An empty one; `name` as for ImageReader.
    static Result<Image> make(const std::string &name);

    const std::string &name() const { return name_; }
    const ImageName &type() const { return type_; }
    std::vector<ImageEntry> &entries() { return entries_; }
    const std::vector<ImageEntry> &entries() const { return entries_; }

    // The message of an entry; null where the entry is of another message (or there are not as many).
    template <typename M> M *get(std::size_t index) {
        return index < entries_.size() ? dynamic_cast<M *>(entries_[index].message.get()) : nullptr;
    }
    template <typename M> const M *get(std::size_t index) const { return const_cast<Image *>(this)->get<M>(index); }
    // All entries of one message, in order.
    template <typename M> std::vector<M *> all() {
        std::vector<M *> messages;
        for (ImageEntry &entry : entries_)
            if (auto *message = dynamic_cast<M *>(entry.message.get())) messages.push_back(message);
        return messages;
    }
    // The message of an image that has exactly one; kInvalid otherwise.
    template <typename M> Result<M *> only() {
        if (M *message = get<M>(0); message && entries_.size() == 1) return message;
        return Error(ErrorCode::kInvalid,
                     name_ + ": " + std::to_string(entries_.size()) + " entries where one belongs");
    }
    // Appends an empty one.
    template <typename M> M &add() {
        auto message = std::make_unique<M>();
        M &reference = *message;
        entries_.push_back(ImageEntry{std::move(message), {}, 0});
        return reference;
    }

    // Makes the file, which must not exist, with mode 0600. The result is its size in bytes. A message that lacks a
    // required field is kInternal.
    Result<std::uint64_t> write(const Fd &directory) const;

  private:
    Image() = default;
    std::string name_;
    ImageName type_;
    std::vector<ImageEntry> entries_;
    Fd source_;
};

// A message's bytes as CRIU would write them: fields in the order of their numbers at every level, unknown ones among
// them. A message that lacks a required field is kInternal.
Result<std::string> encode_message(const google::protobuf::Message &message);

} // namespace hrunc::recode
