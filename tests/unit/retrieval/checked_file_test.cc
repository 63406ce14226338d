#include "retrieval/base/checked_file.h"

#include "gtest/gtest.h"
#include "tests/unit/retrieval/temp_dir.h"

namespace memory3 {
namespace {

constexpr std::string_view kMagic = "M3TESTS1";
constexpr uint64_t kMaxBytes = 1000;

class CheckedFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto writer = CheckedFileWriter::Create(file_, kMagic);
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE(writer->Append("first ").ok());
    ASSERT_TRUE(writer->Append("second").ok());
    ASSERT_TRUE(writer->Finish().ok());
  }
  absl::Status Read() { return ReadCheckedFile(file_, kMagic, kMaxBytes).status(); }

  TempDir dir_;
  const std::filesystem::path file_ = dir_.path() / "file";
};

TEST_F(CheckedFileTest, GivesBackWhatWasWritten) {
  const auto payload = ReadCheckedFile(file_, kMagic, kMaxBytes);
  ASSERT_TRUE(payload.ok()) << payload.status();
  EXPECT_EQ(std::string(payload->begin(), payload->end()), "first second");
}

TEST_F(CheckedFileTest, NoticesEveryFlippedBitAndEveryLength) {
  const std::string good = ReadBytes(file_);
  for (size_t i = 0; i < good.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      WriteBytes(file_, bad);
      EXPECT_TRUE(absl::IsDataLoss(Read())) << i << " " << bit;
    }
  }
  for (size_t length = 0; length < good.size(); ++length) {
    WriteBytes(file_, good.substr(0, length));
    EXPECT_TRUE(absl::IsDataLoss(Read())) << length;
  }
  WriteBytes(file_, good + "x");
  EXPECT_TRUE(absl::IsDataLoss(Read()));
}

TEST_F(CheckedFileTest, AFileThatWasNotFinishedIsNone) {
  {
    auto writer = CheckedFileWriter::Create(file_, kMagic);
    ASSERT_TRUE(writer.ok() && writer->Append("text").ok());
  }
  EXPECT_TRUE(absl::IsDataLoss(Read()));
}

TEST_F(CheckedFileTest, TellsAbsentLargeAndOtherFilesApart) {
  EXPECT_EQ(ReadCheckedFile(file_, kMagic, 3).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(absl::IsDataLoss(ReadCheckedFile(file_, "M3OTHER1", kMaxBytes).status()));
  std::filesystem::remove(file_);
  EXPECT_TRUE(absl::IsNotFound(Read()));
  std::filesystem::create_directory(file_);
  EXPECT_FALSE(Read().ok());
}

}  // namespace
}  // namespace memory3
