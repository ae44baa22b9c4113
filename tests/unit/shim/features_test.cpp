#include <gtest/gtest.h>

#include "oci/json.h"
#include "shim/verbs.h"

namespace hrunc::shim {
namespace {

oci::Json merged(std::string_view document) {
    Result<std::string> text = merge_features(document);
    EXPECT_TRUE(text) << text.error().text();
    Result<oci::Json> json = oci::parse_json(text ? *text : "null");
    return *json;
}

TEST(Features, ours_are_added_behind_what_is_there) {
    oci::Json json = merged(R"({"z": 1, "annotations": {"b": "2", "a": "1"}, "unknown": {"y": [null], "x": 1.5}})");
    std::vector<std::string> members, annotations;
    for (const auto &[name, value] : json.items()) members.push_back(name);
    for (const auto &[name, value] : json["annotations"].items()) annotations.push_back(name);
    EXPECT_EQ(members, (std::vector<std::string>{"z", "annotations", "unknown"}));
    ASSERT_GT(annotations.size(), 2U);
    EXPECT_EQ(annotations[0], "b");
    EXPECT_EQ(annotations[1], "a");
    EXPECT_EQ(annotations[2], "org.hrunc.version");
    EXPECT_EQ(json["annotations"]["org.hrunc.isas"], "x86-64,aarch64");
    EXPECT_EQ(oci::to_text(json["unknown"]), R"({"y":[null],"x":1.5})");
}

TEST(Features, a_document_without_annotations_gets_them) {
    EXPECT_TRUE(merged("{}")["annotations"].contains("org.hrunc.version"));
    EXPECT_TRUE(merged(R"({"annotations": null})")["annotations"].contains("org.hrunc.version"));
}

TEST(Features, our_annotations_are_named_among_those_to_think_about) {
    oci::Json json = merged(R"({"potentiallyUnsafeConfigAnnotations": ["bundle"]})");
    EXPECT_EQ(oci::to_text(json["potentiallyUnsafeConfigAnnotations"]), R"(["bundle","org.hrunc."])");
}

TEST(Features, what_is_no_document_of_features_is_refused) {
    EXPECT_EQ(merge_features("no help topic").error().text(), "features of runc: line 1, column 2: not JSON");
    EXPECT_EQ(merge_features("[]").error().text(), "features of runc: not a JSON object");
    EXPECT_EQ(merge_features(R"({"annotations": []})").error().text(),
              "features of runc: \"annotations\" is not an object");
}

} // namespace
} // namespace hrunc::shim
