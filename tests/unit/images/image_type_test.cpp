#include "recode/image_type.h"

#include <gtest/gtest.h>

namespace hrunc::recode {
namespace {

TEST(ImageType, ANameTellsKindAndId) {
    auto name = parse_image_name("core-12.img");
    ASSERT_TRUE(name);
    EXPECT_EQ(name->type->kind, ImageKind::kCore);
    EXPECT_EQ(name->id, 12U);
    EXPECT_EQ(parse_image_name("pagemap-7.img")->type->kind, ImageKind::kPagemap);
    EXPECT_EQ(parse_image_name("pagemap-shmem-7.img")->type->kind, ImageKind::kSharedPagemap);
    EXPECT_EQ(parse_image_name("tmpfs-dev-9.tar.gz.img")->type->kind, ImageKind::kRaw);
    EXPECT_EQ(parse_image_name("stats-dump")->type->kind, ImageKind::kStats);
}

TEST(ImageType, HexadecimalIdsAreReadAsSuch) {
    EXPECT_EQ(parse_image_name("ghost-file-1f.img")->id, 0x1fU);
    EXPECT_FALSE(parse_image_name("core-1f.img"));
}

TEST(ImageType, OnlyCriusOwnSpellingIsAnImageName) {
    for (const char *name : {"", "core-.img", "core-01.img", "core--1.img", "core-+1.img", "core- 1.img", "core-1.img ",
                             "core-99999999999999999999.img", "ghost-file-1F.img", "../core-1.img", "parent",
                             "dump.log", "hrunc.json", "descriptors.json", "files.img.img", ".img", "inventory1.img"})
        EXPECT_FALSE(parse_image_name(name)) << name;
}

TEST(ImageType, NamesAndKindsAreInverse) {
    for (auto kind : {ImageKind::kInventory, ImageKind::kCore, ImageKind::kSharedPagemap, ImageKind::kPages,
                      ImageKind::kGhostFile, ImageKind::kTcpStream, ImageKind::kCgroups}) {
        auto name = parse_image_name(image_name(kind, 255));
        ASSERT_TRUE(name) << image_name(kind, 255);
        EXPECT_EQ(name->type->kind, kind);
    }
    EXPECT_EQ(image_name(ImageKind::kGhostFile, 255), "ghost-file-ff.img");
    EXPECT_EQ(image_name(ImageKind::kCore, 255), "core-255.img");
}

} // namespace
} // namespace hrunc::recode
