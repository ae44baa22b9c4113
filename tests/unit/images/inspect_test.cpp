#include "recode/inspect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "recode/image_file.h"
#include "recode/images/container.pb.h"
#include "recode/images/core.pb.h"
#include "recode/manifest.h"
#include "tests/unit/images/scratch.h"

namespace hrunc::recode {
namespace {

using testing::HasSubstr;
using Json = nlohmann::json;

const std::filesystem::path kDump = std::filesystem::path(HRUNC_TEST_DATA) / "images-x86-64";

Result<std::string> inspected(const std::filesystem::path &path, const InspectOptions &options = {}) {
    std::string text;
    auto done = inspect(path, options, [&text](std::string_view part) {
        text += part;
        return Result<void>();
    });
    if (!done) return std::move(done).error();
    return text;
}

Json inspected_json(const std::filesystem::path &path, bool pages = false) {
    auto text = inspected(path, {Outline::Format::kJson, pages});
    EXPECT_TRUE(text.ok()) << text.error().text();
    return text ? Json::parse(*text) : Json();
}

TEST(Inspect, ShowsPeopleWhatARealDumpHolds) {
    auto text = inspected(kDump);
    ASSERT_TRUE(text.ok()) << text.error().text();
    EXPECT_THAT(*text, HasSubstr("isa: x86-64\nimage_version: 2\nhostname: sampler\n"));
    EXPECT_THAT(*text, HasSubstr("processes:\n  - pid: 1\n    parent: 0\n    comm: sampler\n    state: alive\n"
                                 "    executable: /bin/sampler\n"));
    EXPECT_THAT(*text, HasSubstr("id 14, type inet, protocol tcp, state listening, address 127.0.0.1:8080, flags 0x2, "
                                 "open_as 1:11 6:11\n"));
    EXPECT_THAT(*text, HasSubstr("- id 13, type unix, state listening, name \\x00sampler, flags 0x2,"));
    EXPECT_THAT(*text, HasSubstr("comm child \\x1b[31mred, seccomp filter, filters 2,"));
    EXPECT_THAT(*text, HasSubstr("- id 7, comm second, seccomp as the process, uid 0, gid 0, cgroup_set 2\n"));
    EXPECT_EQ(text->find('\x1b'), std::string::npos);
}

TEST(Inspect, GivesProgramsTheSameAsJson) {
    Json json = inspected_json(kDump);
    EXPECT_EQ(json["isa"], "x86-64");
    EXPECT_EQ(json["mounts"], 8);
    EXPECT_EQ(json["seccomp_filters"], 4);
    ASSERT_EQ(json["processes"].size(), 2U);
    EXPECT_EQ(json["processes"][1]["parent"], 1);
    EXPECT_EQ(json["processes"][1]["comm"], "child \\x1b[31mred");
    EXPECT_EQ(json["processes"][0]["build_id"].get<std::string>().size(), 40U);
    EXPECT_EQ(json["processes"][0]["threads"].size(), 2U);
    EXPECT_EQ(json["files"].size(), 25U);
    EXPECT_FALSE(json["processes"][0].contains("pages"));
    EXPECT_FALSE(json.contains("made_by"));
}

TEST(Inspect, ReadsImagesOfTheOtherIsaAsWell) {
    Json json = inspected_json(std::filesystem::path(HRUNC_TEST_DATA) / "images-aarch64");
    EXPECT_EQ(json["isa"], "aarch64");
    EXPECT_EQ(json["processes"].size(), 2U);
    EXPECT_EQ(json["processes"][0]["executable"], "/bin/sampler");
    EXPECT_EQ(json["seccomp_filters"], 4);
}

TEST(Inspect, ListsTheRunsOfPagesWhenAsked) {
    Json process = inspected_json(kDump, true)["processes"][0];
    std::uint64_t pages = 0;
    for (const Json &run : process["pages"]) {
        EXPECT_EQ(run["in"], "images");
        pages += run["pages"].get<std::uint64_t>();
    }
    EXPECT_EQ(pages * 4096, process["memory"]["dumped"].get<std::uint64_t>());
}

TEST(Inspect, ShowsTheManifestAndTheParent) {
    Scratch scratch;
    scratch.copy_dump(kDump);
    Manifest manifest{"0.1",   "x86-64", "aarch64", "Docker 26.1.5",
                      "4.1.1", "1.1.15", "6.12",    {{1, "sampler", "/bin/sampler", "popcorn", "aa"}}};
    ASSERT_TRUE(write_manifest(scratch.fd(), manifest).ok());
    ASSERT_EQ(symlink("../pre\x1b", (scratch.path() / "parent").c_str()), 0);
    Json json = inspected_json(scratch.path());
    EXPECT_EQ(json["made_by"], Json::parse(R"({"hrunc": "0.1", "engine": "Docker 26.1.5", "runc": "1.1.15",
                                               "criu": "4.1.1", "kernel": "6.12", "target": "aarch64"})"));
    EXPECT_EQ(json["processes"][0]["abi"], "popcorn");
    EXPECT_FALSE(json["processes"][1].contains("abi"));
    EXPECT_EQ(json["parent"], "../pre\\x1b");
}

TEST(Inspect, RefusesAnUnknownMagicByName) {
    Scratch scratch;
    scratch.copy_dump(kDump);
    scratch.put("tty-info.img", "\x19\x43\x56\x54zzzz");
    EXPECT_EQ(inspected(scratch.path()).error().text(),
              "\"" + scratch.path().string() + "\": tty-info.img: offset 4: magic 0x7a7a7a7a: 0x59453036 belongs here");
}

TEST(Inspect, RefusesFiltersThatStandOnLaterOnes) {
    Scratch scratch;
    scratch.copy_dump(kDump);
    auto image = Image::read(scratch.fd(), "seccomp.img");
    image->get<images::Seccomp>(0)->mutable_filters(0)->set_previous(1);
    std::filesystem::remove(scratch.path() / "seccomp.img");
    ASSERT_TRUE(image->write(scratch.fd()).ok());
    EXPECT_THAT(inspected(scratch.path()).error().text(),
                HasSubstr("seccomp.img: filter 0 stands on filter 1, which is not before it"));
}

TEST(Inspect, StopsAtTheFirstErrorOfTheSink) {
    int calls = 0;
    auto done = inspect(kDump, {}, [&calls](std::string_view) {
        ++calls;
        return Result<void>(Error(ErrorCode::kSystem, "write: Broken pipe"));
    });
    EXPECT_EQ(done.error().text(), "\"" + kDump.string() + "\": write: Broken pipe");
    EXPECT_EQ(calls, 1);
}

TEST(Manifest, ComesBackAsItWasWritten) {
    Scratch scratch;
    EXPECT_FALSE(*read_manifest(scratch.fd()));
    Manifest manifest{"0.1", "aarch64", "", "",
                      "4.2", "",        "", {{7, "a\"b", "/x", "portable", ""}, {8, "", "", "none", ""}}};
    ASSERT_TRUE(write_manifest(scratch.fd(), manifest).ok());
    ASSERT_TRUE(write_manifest(scratch.fd(), manifest).ok());
    auto read = read_manifest(scratch.fd());
    ASSERT_TRUE(read.ok()) << read.error().text();
    EXPECT_EQ(to_json(**read), to_json(manifest));
    EXPECT_EQ((*read)->processes[0].comm, "a\"b");
    EXPECT_EQ(std::filesystem::status(scratch.path() / "hrunc.json").permissions(), std::filesystem::perms(0600));
}

TEST(Manifest, WhatIsNoneIsRefused) {
    for (auto [text, error] : {std::pair("", "not a JSON object"), std::pair("[]", "not a JSON object"),
                               std::pair("{}", "\"version\": a number from 0 to 4294967295 is needed"),
                               std::pair(R"({"version": 2})", "\"version\": 2: only 1 is known"),
                               std::pair(R"({"version": 1, "isa": 3})", "\"isa\": not a string"),
                               std::pair(R"({"version": 1, "processes": {}})", "\"processes\": not a list of objects"),
                               std::pair(R"({"version": 1, "processes": [1]})", "\"processes\": not a list of objects"),
                               std::pair(R"({"version": 1, "processes": [{"pid": -1}]})",
                                         "\"pid\": a number from 0 to 4294967295 is needed")})
        EXPECT_EQ(manifest_from_json(text).error().text(), error);
    EXPECT_TRUE(manifest_from_json(R"({"version": 1, "later": [1]})").ok());
}

} // namespace
} // namespace hrunc::recode
