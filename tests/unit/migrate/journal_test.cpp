#include "migrate/journal.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace hrunc::migrate {
namespace {

const std::string kId = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

Journal sample() {
    Journal journal;
    journal.phase = Phase::kStarting;
    journal.source_id = kId;
    journal.source_name = "web";
    journal.restart_policy = {{"Name", "always"}, {"MaximumRetryCount", 0}};
    journal.host = "root@pi";
    journal.port = 2222;
    journal.target_name = "web2";
    journal.temporary_name = journal.checkpoint = "hrunc-00112233";
    journal.target_id = kId;
    journal.volumes = {"files"};
    journal.keep_source = true;
    return journal;
}

class Journals : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "journals.XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        root = name + "/migrate";
    }
    void TearDown() override { std::filesystem::remove_all(std::filesystem::path(root).parent_path()); }

    JournalDirectory opened() const {
        Result<JournalDirectory> directory = JournalDirectory::open(root, kId);
        EXPECT_TRUE(directory) << directory.error().text();
        return std::move(*directory);
    }
    std::string root;
};

TEST_F(Journals, what_is_written_is_read) {
    JournalDirectory directory = opened();
    Result<std::optional<Journal>> none = directory.read();
    ASSERT_TRUE(none);
    EXPECT_FALSE(none->has_value());
    ASSERT_TRUE(directory.write(sample()));
    Result<std::optional<Journal>> journal = directory.read();
    ASSERT_TRUE(journal) << journal.error().text();
    ASSERT_TRUE(journal->has_value());
    EXPECT_EQ(json_from(**journal), json_from(sample()));
    EXPECT_EQ((**journal).phase, Phase::kStarting);
}

TEST_F(Journals, one_process_at_a_time_works_on_a_container) {
    JournalDirectory directory = opened();
    Result<JournalDirectory> second = JournalDirectory::open(root, kId);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().text(), "another hrunc migrate is at work on the container");
}

TEST_F(Journals, one_that_is_done_leaves_nothing) {
    {
        JournalDirectory directory = opened();
        ASSERT_TRUE(directory.write(sample()));
        EXPECT_EQ(*JournalDirectory::list(root), (std::vector<std::string>{kId.substr(0, 12)}));
        ASSERT_TRUE(directory.remove());
    }
    EXPECT_EQ(*JournalDirectory::list(root), std::vector<std::string>());
    EXPECT_EQ(*JournalDirectory::list(root + "/nowhere"), std::vector<std::string>());
}

TEST_F(Journals, one_that_was_left_is_found_by_the_name_of_its_directory) {
    {
        ASSERT_TRUE(opened().write(sample()));
    }
    Result<JournalDirectory> again = JournalDirectory::open(root, JournalDirectory::list(root)->at(0));
    ASSERT_TRUE(again) << again.error().text();
    EXPECT_TRUE(again->read()->has_value());
}

TEST(Journal, every_phase_has_a_name_of_its_own) {
    for (Phase phase :
         {Phase::kPreparing, Phase::kDumping, Phase::kDumped, Phase::kStarting, Phase::kStarted, Phase::kUndone}) {
        Journal journal = sample();
        journal.phase = phase;
        Result<Journal> read = journal_from(json_from(journal));
        ASSERT_TRUE(read) << read.error().text();
        EXPECT_EQ(read->phase, phase);
    }
}

TEST(Journal, a_broken_one_is_refused) {
    oci::Json json = json_from(sample());
    json["phase"] = "later";
    EXPECT_EQ(journal_from(json).error().text(), "phase: \"later\"");
    json = json_from(sample());
    json["target"]["name"] = "../x";
    EXPECT_EQ(journal_from(json).error().text(), "name \"../x\"");
    json = json_from(sample());
    json["volumes"] = {"a/b"};
    EXPECT_EQ(journal_from(json).error().text(), "volumes: a name is expected");
    json = json_from(sample());
    json["host"] = "";
    EXPECT_EQ(journal_from(json).error().text(), "host: missing");
}

} // namespace
} // namespace hrunc::migrate
