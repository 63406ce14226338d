#include "engine/memory/bank/record_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace memory3 {
namespace {

using ::testing::HasSubstr;

class RecordFileTest : public testing::Test {
 protected:
  RecordFileTest()
      : folder_(std::filesystem::path(testing::TempDir()) /
                ("record_file_" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~RecordFileTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path Write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }

  const std::filesystem::path folder_;
};

TEST_F(RecordFileTest, KnowsItsSizeAndPath) {
  const auto path = Write("records", std::string(8192, 'x'));
  const auto file = RecordFile::Open(path, /*direct=*/false);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->size(), 8192);
  EXPECT_EQ((*file)->path(), path);
  EXPECT_GE((*file)->fd(), 0);
  EXPECT_EQ((*file)->direct_fd(), -1);
}

TEST_F(RecordFileTest, StaysReadableWhenItsNameIsGone) {
  const auto path = Write("records", "abcd");
  const auto file = RecordFile::Open(path, /*direct=*/true);
  ASSERT_TRUE(file.ok()) << file.status();
  std::filesystem::remove(path);
  char bytes[4] = {};
  EXPECT_EQ(pread((*file)->fd(), bytes, 4, 0), 4);
  EXPECT_EQ(std::string(bytes, 4), "abcd");
}

TEST_F(RecordFileTest, DirectReadsEndForGoodOnceRefused) {
  const auto file = RecordFile::Open(Write("records", "abcd"), /*direct=*/true);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE((*file)->RefuseDirect());
  EXPECT_EQ((*file)->direct_fd(), -1);
  EXPECT_FALSE((*file)->RefuseDirect());
}

TEST_F(RecordFileTest, ErrorsNameThePath) {
  const auto missing = RecordFile::Open(folder_ / "nothing", true).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("nothing"));
  const auto folder = RecordFile::Open(folder_, true).status();
  EXPECT_EQ(folder.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(folder.message()), HasSubstr(folder_.native()));
}

TEST_F(RecordFileTest, APipeIsRefusedAndNotWaitedFor) {
  ASSERT_EQ(mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(RecordFile::Open(folder_ / "pipe", true).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace memory3
