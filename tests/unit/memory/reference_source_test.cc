#include "engine/memory/reference_source.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "tests/unit/memory/reader_testing.h"

namespace memory3 {
namespace {

class ReferenceSourceTest : public testing::Test {
 protected:
  absl::StatusOr<std::vector<Document>> Read(const std::string& name, const std::string& bytes) {
    std::vector<Document> documents;
    const absl::Status status =
        ReadDocuments(folder_.Write(name, bytes), name, [&](Document document) {
          documents.push_back(std::move(document));
          return absl::OkStatus();
        });
    if (!status.ok()) return status;
    return documents;
  }

  const TempFolder folder_;
};

TEST_F(ReferenceSourceTest, TakesATextAsOneDocument) {
  const auto documents = Read("a.txt", "\xEF\xBB\xBFOne.\n\nTwo.\n");
  ASSERT_TRUE(documents.ok()) << documents.status();
  ASSERT_EQ(documents->size(), 1);
  EXPECT_EQ(documents->at(0).text, "One.\n\nTwo.\n");
  EXPECT_EQ(documents->at(0).source, "a.txt");
  EXPECT_EQ(documents->at(0).title, "");
}

TEST_F(ReferenceSourceTest, TakesHeadingsAsTitles) {
  const auto documents =
      Read("a.md", "Before.\n# One #\nText.\n\n## Two\n```\n# no heading\n```\n### Empty\n");
  ASSERT_TRUE(documents.ok()) << documents.status();
  ASSERT_EQ(documents->size(), 3);
  EXPECT_EQ(documents->at(0).text, "Before.\n");
  EXPECT_EQ(documents->at(1).title, "One");
  EXPECT_EQ(documents->at(1).text, "Text.\n\n");
  EXPECT_EQ(documents->at(2).title, "Two");
  EXPECT_TRUE(absl::StrContains(documents->at(2).text, "# no heading"));
}

TEST_F(ReferenceSourceTest, TakesLinesAsDocuments) {
  const auto documents =
      Read("a.jsonl",
           "{\"text\": \"a\", \"id\": 7, \"title\": \"t\", \"source\": \"s\"}\r\n"
           "\n{\"text\": \"\\u4e2d\", \"id\": \"x\", \"other\": [1]}\n"
           "{\"text\": \"b\", \"title\": null}");
  ASSERT_TRUE(documents.ok()) << documents.status();
  ASSERT_EQ(documents->size(), 3);
  EXPECT_EQ(documents->at(0).source_id, "7");
  EXPECT_EQ(documents->at(0).title, "t");
  EXPECT_EQ(documents->at(0).source, "s");
  EXPECT_EQ(documents->at(1).text, "中");
  EXPECT_EQ(documents->at(1).source, "a.jsonl");
  EXPECT_EQ(documents->at(2).title, "");
}

TEST_F(ReferenceSourceTest, NamesFileAndLineOfWhatIsWrong) {
  const char* wrong[] = {"{\"text\": \"a\"}\n[]\n",
                         "{\"text\": \"a\"}\n{\"title\": \"t\"}\n",
                         "{\"text\": \"a\"}\n{\"text\": 1}\n",
                         "{\"text\": \"a\"}\n{\"text\": null}\n",
                         "{\"text\": \"a\"}\n{\"text\": \"a\", \"id\": 1.5}\n",
                         "{\"text\": \"a\"}\n{\"text\": \"\xFF\"}\n",
                         "{\"text\": \"a\"}\n{\"text\": \"\\ud800\"}\n",
                         "{\"text\": \"a\"}\n{\"text\"\n"};
  for (const char* lines : wrong) {
    const absl::Status status = Read("a.jsonl", lines).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << lines;
    EXPECT_TRUE(absl::StrContains(status.message(), "a.jsonl:2")) << status;
  }
  const absl::Status status = Read("a.txt", "one\ntwo\n\xC0\x80\n").status();
  EXPECT_TRUE(absl::StrContains(status.message(), "a.txt:3")) << status;
}

TEST_F(ReferenceSourceTest, ListsFilesInTheOrderOfTheirNames) {
  std::filesystem::create_directories(folder_.path() / "sub");
  for (const char* name : {"b.txt", "a.md", "sub/c.jsonl", "image.png", "README"}) {
    folder_.Write(name, "x");
  }
  const auto files = ListInputs(folder_.path());
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(*files,
            (std::vector<std::filesystem::path>{folder_.path() / "a.md", folder_.path() / "b.txt",
                                                folder_.path() / "sub/c.jsonl"}));
  EXPECT_EQ(ListInputs(folder_.path() / "image.png").status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ListInputs(folder_.path() / "none").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace memory3
