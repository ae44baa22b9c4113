#include "recode/image_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <random>

#include "recode/images/core.pb.h"
#include "recode/images/data.pb.h"
#include "recode/images/files.pb.h"
#include "recode/images/inventory.pb.h"
#include "recode/images/memory.pb.h"
#include "tests/unit/images/scratch.h"

namespace hrunc::recode {
namespace {

using std::string_literals::operator""s;
using testing::HasSubstr;

bool is_framed(const std::string &name) {
    auto type = parse_image_name(name);
    return type && type->type->header != ImageHeader::kNone;
}

TEST(ImageFile, EveryFileOfARealDumpIsKnownByName) {
    for (const auto &dump : dumps())
        for (const auto &name : files_of(dump))
            EXPECT_TRUE(parse_image_name(name) || name == "descriptors.json") << dump / name;
}

TEST(ImageFile, EveryImageOfARealDumpKeepsItsBytes) {
    int images = 0;
    for (const auto &dump : dumps()) {
        Fd directory = *open_file(dump, O_RDONLY | O_DIRECTORY);
        for (const auto &name : files_of(dump)) {
            if (!is_framed(name)) continue;
            Scratch scratch;
            auto image = Image::read(directory, name);
            ASSERT_TRUE(image.ok()) << image.error().text();
            EXPECT_FALSE(image->entries().empty() && name != "seccomp.img") << name;
            auto written = image->write(scratch.fd());
            ASSERT_TRUE(written.ok()) << written.error().text();
            EXPECT_EQ(contents(scratch.path() / name), contents(dump / name)) << name;
            EXPECT_EQ(*written, std::filesystem::file_size(dump / name));
            ++images;
        }
    }
    EXPECT_GE(images, 70);
}

TEST(ImageFile, FieldsThatAreNotKnownStayAndStayInPlace) {
    // FileLock lacks field 9; Owner, inside of Pipe, lacks field 3 to 5 only as far as this message says.
    std::string message = "\x08\x01\x10\x02\x18\x03\x22\x0d"
                          "\x08\x01\x10\x02\x18\x03\x20\x04\x28\x05\x3a\x01x" // Owner with an unknown field 7
                          "\x2a\x01y"s;                                       // Pipe with an unknown field 5
    Scratch scratch;
    images::File file;
    file.set_type(2);
    file.set_id(9);
    std::string bytes =
        "\x08\x02\x10\x09"s + "\x92\x01"s + static_cast<char>(message.size()) + message + "\xba\x01\x01z"s;
    scratch.put("files.img", "\x19\x43\x56\x54\x38\x31\x30\x56"s + static_cast<char>(bytes.size()) + "\0\0\0"s + bytes);
    std::string before = contents(scratch.path() / "files.img");

    auto image = Image::read(scratch.fd(), "files.img");
    ASSERT_TRUE(image.ok()) << image.error().text();
    ASSERT_NE(image->get<images::File>(0), nullptr);
    image->get<images::File>(0)->mutable_pipe()->set_flags(4);
    std::filesystem::remove(scratch.path() / "files.img");
    ASSERT_TRUE(image->write(scratch.fd()).ok());

    std::string after = contents(scratch.path() / "files.img");
    auto changed = before.find("\x18\x03\x22"s);
    before[changed + 1] = 4;
    EXPECT_EQ(after, before);
}

TEST(ImageFile, AnImageIsWrittenForItsOwnerOnlyAndNeverOverAnother) {
    Scratch scratch;
    auto image = Image::make("fs-1.img");
    ASSERT_TRUE(image.ok());
    auto &fs = image->add<images::Filesystem>();
    fs.set_working_directory(1);
    fs.set_root(2);
    mode_t mask = umask(0);
    EXPECT_EQ(*image->write(scratch.fd()), 16U);
    umask(mask);
    struct stat status{};
    ASSERT_EQ(stat((scratch.path() / "fs-1.img").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600U);
    EXPECT_EQ(image->write(scratch.fd()).error().text(), "open \"fs-1.img\": File exists");
}

TEST(ImageFile, AMessageThatLacksARequiredFieldIsNotWritten) {
    Scratch scratch;
    auto image = Image::make("fs-1.img");
    image->add<images::Filesystem>().set_root(2);
    EXPECT_EQ(image->write(scratch.fd()).error().text(), "fs-1.img: message Filesystem lacks working_directory");
    EXPECT_EQ(image->write(scratch.fd()).error().code(),
              ErrorCode::kSystem); // left behind: staging goes away as a whole
}

// What hostile bytes under `name` are refused with.
std::string refusal(const std::string &name, const std::string &bytes) {
    Scratch scratch;
    scratch.put(name, bytes);
    auto image = Image::read(scratch.fd(), name);
    if (image) return "accepted";
    EXPECT_EQ(image.error().code(), ErrorCode::kInvalid);
    return image.error().text();
}

const std::string kFsHeader = "\x19\x43\x56\x54\x12\x39\x40\x51"s;

TEST(ImageFile, RefusalsNameTheFileAndTheOffset) {
    EXPECT_EQ(refusal("fs-1.img", ""), "fs-1.img: offset 0: common magic of 4 bytes: the file ends after 0");
    EXPECT_EQ(refusal("fs-1.img", "abcdefgh"), "fs-1.img: offset 0: common magic 0x64636261: 0x54564319 belongs here");
    EXPECT_EQ(refusal("fs-1.img", "\x19\x43\x56\x54zzzz"),
              "fs-1.img: offset 4: magic 0x7a7a7a7a: 0x51403912 belongs here");
    EXPECT_EQ(refusal("inventory.img", "\x19\x43\x56\x54"s),
              "inventory.img: offset 0: magic 0x54564319: 0x58313116 belongs here");
    EXPECT_EQ(refusal("fs-1.img", kFsHeader + "\x01\0"s),
              "fs-1.img: offset 8: size of a message of 4 bytes: the file ends after 2");
    EXPECT_EQ(refusal("fs-1.img", kFsHeader + "\xff\xff\xff\xff"s),
              "fs-1.img: offset 8: message of 4294967295 bytes: more than the limit of 16777216 (kMaxImageMessage)");
    EXPECT_EQ(refusal("fs-1.img", kFsHeader + "\x05\0\0\0\x08"s),
              "fs-1.img: offset 8: message of 5 bytes: the file ends after 1");
    EXPECT_EQ(refusal("fs-1.img", kFsHeader + "\x02\0\0\0\x08\xff"s),
              "fs-1.img: offset 8: not a message of type Filesystem");
    EXPECT_EQ(refusal("fs-1.img", kFsHeader + "\x02\0\0\0\x08\x01"s),
              "fs-1.img: offset 8: required field Filesystem.root missing");
    EXPECT_EQ(refusal("ghost-file-1.img", "\x19\x43\x56\x54\x05\x36\x58\x52"s +
                                              "\x08\0\0\0\x08\x01\x10\x01\x18\x01\x48\x01"s +
                                              "\x04\0\0\0\x08\x05\x10\0"s + "only"),
              "ghost-file-1.img: offset 20: payload of 5 bytes: the file ends after 4");
    EXPECT_EQ(refusal("pages-1.img", "x"), "pages-1.img: a raw image, which has no messages");
}

TEST(ImageFile, AnUnknownNameIsRefused) {
    Scratch scratch;
    scratch.put("amdgpu-1.img", "x");
    EXPECT_EQ(Image::read(scratch.fd(), "amdgpu-1.img").error().text(),
              "\"amdgpu-1.img\": not the name of a CRIU image");
}

TEST(ImageFile, NothingButARegularFileBeneathTheDirectoryIsOpened) {
    Scratch scratch, elsewhere;
    elsewhere.put("fs-1.img", kFsHeader);
    ASSERT_EQ(symlink((elsewhere.path() / "fs-1.img").c_str(), (scratch.path() / "fs-1.img").c_str()), 0);
    EXPECT_EQ(Image::read(scratch.fd(), "fs-1.img").error().text(),
              "open \"fs-1.img\": Too many levels of symbolic links");
    ASSERT_EQ(mkfifo((scratch.path() / "fs-2.img").c_str(), 0600), 0);
    EXPECT_EQ(Image::read(scratch.fd(), "fs-2.img").error().text(), "\"fs-2.img\": not a regular file");
    std::filesystem::create_directory(scratch.path() / "fs-3.img");
    EXPECT_EQ(Image::read(scratch.fd(), "fs-3.img").error().text(), "\"fs-3.img\": not a regular file");
    EXPECT_EQ(open_image(scratch.fd(), "../fs-1.img").error().code(), ErrorCode::kSystem);
}

TEST(ImageFile, PayloadsLargerThanTheBufferAreCopied) {
    Scratch scratch, out;
    std::string payload(std::size_t{1} << 20, '\0');
    std::minstd_rand random(1);
    for (char &c : payload) c = static_cast<char>(random());
    std::string entry = "\x08\0\0\0\x08\x01\x10\x80\x80\x40\x18\x10"s; // pipe 1, 1 MiB
    std::string bytes = "\x19\x43\x56\x54\x09\x37\x45\x56"s + entry + payload + entry + payload;
    scratch.put("pipes-data.img", bytes);
    auto image = Image::read(scratch.fd(), "pipes-data.img");
    ASSERT_TRUE(image.ok()) << image.error().text();
    ASSERT_EQ(image->entries().size(), 2U);
    EXPECT_EQ(image->entries()[1].payload.size, payload.size());
    ASSERT_TRUE(image->write(out.fd()).ok());
    EXPECT_EQ(contents(out.path() / "pipes-data.img"), bytes);
}

// Reads all of an image from memory and encodes it again. The text of the error, if there is one.
std::string read_damaged(const std::string &name, const std::string &bytes) {
    Fd file(memfd_create("image", MFD_CLOEXEC));
    EXPECT_TRUE(write_all(file, bytes).ok());
    auto reader = ImageReader::on(std::move(file), name);
    if (!reader) return reader.error().text();
    for (;;) {
        auto entry = reader->next();
        if (!entry) return entry.error().text();
        if (!*entry) return "";
        auto encoded = encode_message(*(*entry)->message);
        EXPECT_TRUE(encoded.ok() || encoded.error().code() == ErrorCode::kInvalid) << encoded.error().text();
    }
}

TEST(ImageFile, TruncatedAndDamagedImagesAreErrorsOrImages) {
    std::minstd_rand random(7);
    std::size_t refused = 0;
    for (const auto &dump : dumps()) {
        for (const auto &name : files_of(dump)) {
            if (!is_framed(name)) continue;
            std::string whole = contents(dump / name);
            for (int round = 0; round < 300; ++round) {
                std::string bytes = whole;
                if (round % 3 == 0) bytes.resize(random() % (whole.size() + 1));
                for (int flips = round % 3; flips > 0 && !bytes.empty(); --flips)
                    bytes[random() % bytes.size()] ^= static_cast<char>(1U << random() % 8);
                std::string error = read_damaged(name, bytes);
                if (error.empty()) continue;
                EXPECT_THAT(error, HasSubstr(name + ": offset "));
                ++refused;
            }
        }
    }
    EXPECT_GT(refused, 1000U);
}

} // namespace
} // namespace hrunc::recode
