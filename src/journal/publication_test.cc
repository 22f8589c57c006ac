#include "journal/publication.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "core/invariant.h"

namespace tanhui::journal {
namespace {

namespace fs = std::filesystem;

class PublicationTest : public ::testing::Test {
 protected:
  PublicationTest() {
    std::string pattern = (fs::temp_directory_path() / "tanhui-publication-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    journal_ = folder_ / "journal";
  }
  ~PublicationTest() override { fs::remove_all(folder_); }

  static void put(const fs::path& path, std::string_view text) { std::ofstream(path) << text; }
  static std::string text_of(const fs::path& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // What a reader of the journal sees.
  std::vector<std::string> seen() const {
    std::vector<std::string> files;
    if (!fs::exists(journal_)) return files;
    for (const auto& entry : fs::recursive_directory_iterator(journal_)) {
      const std::string relative = entry.path().lexically_relative(journal_).string();
      if (entry.is_regular_file() && relative.starts_with("programme=")) files.push_back(relative);
    }
    std::sort(files.begin(), files.end());
    return files;
  }
  Publication staged(RunId run) {
    Publication publication(journal_, run);
    put(publication.stage("wuhan-demo", day_), "one");
    put(publication.stage("wuhan-demo", core::Day{day_.count + 1}), "two");
    return publication;
  }

  const core::Day day_ = core::day_of(2025, 3, 1);
  fs::path folder_, journal_;
};

TEST_F(PublicationTest, AppearsAtOnceWithPublish) {
  auto publication = staged(7);
  EXPECT_EQ(seen(), std::vector<std::string>{});
  EXPECT_EQ(publication.publish(), 2u);
  EXPECT_EQ(seen(), (std::vector<std::string>{"programme=wuhan-demo/day=2025-03-01/run-000007.parquet",
                                              "programme=wuhan-demo/day=2025-03-02/run-000007.parquet"}));
  EXPECT_EQ(text_of(publication.place("wuhan-demo", day_)), "one");
  EXPECT_EQ(publication.publish(), 0u) << "a second time nothing is left to do";
  EXPECT_EQ(seen().size(), 2u);
  EXPECT_FALSE(fs::exists(journal_ / ".staging/run-000007"));
}

TEST_F(PublicationTest, ARunThatDoesNotCommitLeavesNothing) {
  auto publication = staged(7);
  publication.discard();
  EXPECT_EQ(publication.publish(), 0u);
  EXPECT_EQ(seen(), std::vector<std::string>{});
}

TEST_F(PublicationTest, RecoveryFollowsTheDatabase) {
  staged(1).publish();
  staged(2);  // crash after the commit
  staged(3);  // crash before the commit
  const auto recovery = recover(journal_, [](RunId run) { return run == 2; });
  EXPECT_EQ(recovery.published, std::vector<RunId>{2});
  EXPECT_EQ(recovery.discarded, std::vector<RunId>{3});
  EXPECT_EQ(seen().size(), 4u);
  const auto again = recover(journal_, [](RunId) { return false; });
  EXPECT_TRUE(again.published.empty() && again.discarded.empty());
  EXPECT_EQ(seen().size(), 4u) << "what is published stays";
}

TEST_F(PublicationTest, ACrashInTheMiddleOfPublishIsFinishedLater) {
  auto publication = staged(5);
  const fs::path place = publication.place("wuhan-demo", day_);
  fs::create_directories(place.parent_path());
  fs::rename(publication.stage("wuhan-demo", day_), place);  // the first of two moves, then the power fails
  const auto recovery = recover(journal_, [](RunId) { return true; });
  EXPECT_EQ(recovery.published, std::vector<RunId>{5});
  EXPECT_EQ(seen().size(), 2u);
}

TEST_F(PublicationTest, APublishedSegmentIsNeverReplaced) {
  staged(5).publish();
  EXPECT_EQ(staged(5).publish(), 2u) << "the same bytes again are the same segment";
  Publication other(journal_, 5);
  put(other.stage("wuhan-demo", day_), "ONE");
  EXPECT_THROW(other.publish(), core::InvariantBroken);
  EXPECT_EQ(text_of(other.place("wuhan-demo", day_)), "one");
}

TEST_F(PublicationTest, NothingToRecoverIsFine) {
  const auto recovery = recover(folder_ / "nowhere", [](RunId) { return true; });
  EXPECT_TRUE(recovery.published.empty() && recovery.discarded.empty());
}

TEST(SegmentPath, OnlyHarmlessProgrammeIds) {
  const auto day = core::day_of(2024, 9, 2);
  EXPECT_EQ(segment_path("hubei.wuhan_1", day, 1'234'567), "programme=hubei.wuhan_1/day=2024-09-02/run-1234567.parquet");
  for (const char* id : {"", "..", "a/b", "A", "a b", ".hidden", "a\nb"})
    EXPECT_THROW(segment_path(id, day, 1), core::InvariantBroken) << id;
}

}  // namespace
}  // namespace tanhui::journal
