#include "retrieval/index/retrieval_index.h"

#include "gtest/gtest.h"
#include "retrieval/index/build_index.h"
#include "tests/unit/retrieval/temp_dir.h"

namespace memory3 {
namespace {

constexpr int kCount = 300;
const char* const kSubjects[] = {"lighthouse", "orchard", "railway",   "volcano", "library",
                                 "harbour",    "desert",  "monastery", "glacier", "market"};
const char* const kPlaces[] = {"Arvel", "Bosk",  "Cirra", "Dunmore", "Elsin",
                               "Fanto", "Grell", "Hask",  "Ivaro",   "Jelm"};
const char* const kDeeds[] = {"was built by", "was painted by", "is kept by"};

std::string TextOf(int64_t i) {
  return std::string("The ") + kSubjects[i % 10] + " of " + kPlaces[i / 10 % 10] + " " +
         kDeeds[i / 100] + " number " + std::to_string(i) + ".";
}

absl::Status Build(const std::filesystem::path& dir, int64_t exact_below, int64_t count = kCount) {
  IndexBuildOptions options;
  options.embedder.lexical_dimensions = 256;
  options.exact_below = exact_below;
  return BuildRetrievalIndex(
      options, count, [](int64_t i) { return TextOf(i); }, dir);
}

TEST(RetrievalIndexTest, FindsTextsWithAndWithoutGraph) {
  for (const int64_t exact_below : {1, 1000}) {
    const TempDir dir;
    ASSERT_TRUE(Build(dir.path() / "new" / "index", exact_below).ok());
    const auto index = RetrievalIndex::Open(dir.path() / "new" / "index", {});
    ASSERT_TRUE(index.ok()) << index.status();
    EXPECT_EQ((*index)->count(), kCount);
    EXPECT_EQ((*index)->has_graph(), exact_below == 1);
    const std::string glacier = TextOf(38), nothing = " ";
    const auto results = (*index)->Search({glacier, nothing, "library in Bosk painted"}, 3);
    ASSERT_TRUE(results.ok()) << results.status();
    ASSERT_EQ(results->size(), 3u);
    ASSERT_EQ(results->at(0).size(), 3u);
    EXPECT_EQ(results->at(0)[0].id, 38u);
    EXPECT_NEAR(results->at(0)[0].score, 1, 1e-5);
    EXPECT_GE(results->at(0)[0].score, results->at(0)[1].score);
    EXPECT_TRUE(results->at(1).empty());
    EXPECT_EQ(results->at(2)[0].id, 114u);
  }
}

TEST(RetrievalIndexTest, AsksForMoreThanThereAre) {
  const TempDir dir;
  ASSERT_TRUE(Build(dir.path(), 1, 3).ok());
  const auto index = RetrievalIndex::Open(dir.path(), {});
  ASSERT_TRUE(index.ok()) << index.status();
  EXPECT_EQ((*index)->Search({"lighthouse"}, 100)->at(0).size(), 3u);
}

TEST(RetrievalIndexTest, AnEmptyIndexFindsNothing) {
  const TempDir dir;
  ASSERT_TRUE(Build(dir.path(), 1, 0).ok());
  const auto index = RetrievalIndex::Open(dir.path(), {});
  ASSERT_TRUE(index.ok()) << index.status();
  EXPECT_TRUE((*index)->Search({"lighthouse"}, 5)->at(0).empty());
}

TEST(RetrievalIndexTest, BuiltTwiceIsTheSameBytes) {
  const TempDir first, second;
  ASSERT_TRUE(Build(first.path(), 1).ok());
  ASSERT_TRUE(Build(second.path(), 1).ok());
  for (const char* file : {kEmbedderFile, kVectorsFile, kGraphFile}) {
    EXPECT_EQ(ReadBytes(first.path() / file), ReadBytes(second.path() / file)) << file;
  }
  // A smaller bank built in the same place leaves no graph of the larger one behind.
  ASSERT_TRUE(Build(first.path(), 1000).ok());
  EXPECT_FALSE(std::filesystem::exists(first.path() / kGraphFile));
}

TEST(RetrievalIndexTest, RefusesMissingAndMixedFiles) {
  const TempDir dir, other;
  ASSERT_TRUE(Build(dir.path(), 1).ok());
  ASSERT_TRUE(Build(other.path(), 1, kCount - 1).ok());
  std::filesystem::copy_file(other.path() / kGraphFile, dir.path() / kGraphFile,
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_TRUE(absl::IsFailedPrecondition(RetrievalIndex::Open(dir.path(), {}).status()));
  for (const char* file : {kEmbedderFile, kVectorsFile}) {
    ASSERT_TRUE(Build(dir.path(), 1).ok());
    std::filesystem::remove(dir.path() / file);
    const absl::Status status = RetrievalIndex::Open(dir.path(), {}).status();
    EXPECT_TRUE(absl::IsNotFound(status)) << status;
    EXPECT_NE(status.message().find(file), absl::string_view::npos);
  }
}

TEST(RetrievalIndexTest, BuildPassesErrorsAndProgressOn) {
  const TempDir dir;
  IndexBuildOptions options;
  std::string stages;
  options.progress = [&](std::string_view stage, int64_t done, int64_t total) {
    if (done == 0) stages += std::string(stage) + " ";
    EXPECT_EQ(total, 10);
  };
  EXPECT_TRUE(BuildRetrievalIndex(
                  options, 10, [](int64_t i) { return TextOf(i); }, dir.path())
                  .ok());
  EXPECT_EQ(stages, "learn embed ");
  const absl::Status status = BuildRetrievalIndex(
      options, 10,
      [](int64_t i) -> absl::StatusOr<std::string> {
        if (i == 7) return absl::DataLossError("text 7");
        return TextOf(i);
      },
      dir.path());
  EXPECT_EQ(status.message(), "text 7");
  EXPECT_TRUE(absl::IsInvalidArgument(BuildRetrievalIndex(
      options, -1, [](int64_t i) { return TextOf(i); }, dir.path())));
}

}  // namespace
}  // namespace memory3
