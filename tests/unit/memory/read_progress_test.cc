#include "engine/memory/read_progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "engine/base/aligned_buffer.h"
#include "tests/unit/memory/reader_testing.h"

namespace memory3 {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kBlock = 4096;

class ReadProgressTest : public testing::Test {
 protected:
  // Of three blocks, from the second on.
  ReadProgress Start(DirectReads direct) {
    return ReadProgress({.file = file_,
                         .offset = kBlock,
                         .bytes = {buffer_.data(), buffer_.size()},
                         .done = [this](absl::Status status) { end_ = status; }},
                        direct, &tally_);
  }

  const TempFolder folder_;
  const std::shared_ptr<const RecordFile> file_ =
      folder_.WriteAndOpen("records", std::string(4 * kBlock, 'x'), /*direct=*/true);
  AlignedBuffer buffer_{3 * kBlock, kBlock};
  ReaderTally tally_;
  absl::Status end_ = absl::UnknownError("not called");
};

TEST_F(ReadProgressTest, AsksForTheRestAfterAShortRead) {
  ReadProgress progress = Start(DirectReads::kAuto);
  EXPECT_EQ(progress.Next().length, 3 * kBlock);
  EXPECT_EQ(progress.Advance(kBlock), std::nullopt);
  EXPECT_EQ(progress.Next().length, 2 * kBlock);
  EXPECT_EQ(progress.Next().offset, 2 * kBlock);
  EXPECT_EQ(progress.Next().data, buffer_.data() + kBlock);
  EXPECT_EQ(progress.Advance(2 * kBlock), absl::OkStatus());
  progress.Finish(absl::OkStatus());
  EXPECT_EQ(end_, absl::OkStatus());
  EXPECT_EQ(tally_.Snapshot().short_reads, 1);
  EXPECT_EQ(tally_.Snapshot().reads, 1);
}

TEST_F(ReadProgressTest, ReadsAnUnalignedRestBuffered) {
  if (file_->direct_fd() < 0) GTEST_SKIP() << "the temporary folder has no O_DIRECT";
  ReadProgress progress = Start(DirectReads::kAuto);
  EXPECT_EQ(progress.Next().fd, file_->direct_fd());
  EXPECT_EQ(progress.Advance(100), std::nullopt);
  EXPECT_EQ(progress.Next().fd, file_->fd());
  EXPECT_EQ(progress.Advance(kBlock - 100), std::nullopt);
  EXPECT_EQ(progress.Next().fd, file_->direct_fd());
}

TEST_F(ReadProgressTest, TheEndOfTheFileIsDataLossAndSaysWhere) {
  ReadProgress progress = Start(DirectReads::kOff);
  progress.Next();
  EXPECT_EQ(progress.Advance(100), std::nullopt);
  progress.Next();
  const std::optional<absl::Status> end = progress.Advance(0);
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(std::string(end->message()),
            file_->path().native() + ": offset 4096: the file ends early (got 100 of 12288 bytes)");
}

TEST_F(ReadProgressTest, InterruptionsAreRetriedButNotForEver) {
  ReadProgress progress = Start(DirectReads::kOff);
  for (int i = 0; i < kMaxReadRetries; ++i) {
    progress.Next();
    ASSERT_EQ(progress.Advance(i % 2 == 0 ? -EINTR : -EAGAIN), std::nullopt);
  }
  progress.Next();
  const std::optional<absl::Status> end = progress.Advance(-EAGAIN);
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(tally_.Snapshot().retries, kMaxReadRetries);
}

TEST_F(ReadProgressTest, EinvalOfADirectReadMakesTheFileBufferedForGood) {
  if (file_->direct_fd() < 0) GTEST_SKIP() << "the temporary folder has no O_DIRECT";
  ReadProgress first = Start(DirectReads::kAuto), second = Start(DirectReads::kAuto);
  first.Next();
  second.Next();
  EXPECT_EQ(first.Advance(-EINVAL), std::nullopt);
  EXPECT_EQ(first.Next().fd, file_->fd());
  EXPECT_EQ(second.Advance(-EINVAL), std::nullopt);  // was on its way already
  EXPECT_EQ(tally_.Snapshot().direct_fallbacks, 1);
  const std::optional<absl::Status> end = first.Advance(-EINVAL);  // of a buffered read
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ReadProgressTest, EinvalIsFinalWhereDirectReadsAreDemanded) {
  if (file_->direct_fd() < 0) GTEST_SKIP() << "the temporary folder has no O_DIRECT";
  ReadProgress progress = Start(DirectReads::kOn);
  progress.Next();
  const std::optional<absl::Status> end = progress.Advance(-EINVAL);
  ASSERT_TRUE(end.has_value());
  EXPECT_THAT(std::string(end->message()), HasSubstr("O_DIRECT"));
}

TEST_F(ReadProgressTest, OtherErrorsAreTheSystemsOwn) {
  ReadProgress progress = Start(DirectReads::kOff);
  progress.Next();
  const std::optional<absl::Status> end = progress.Advance(-EIO);
  ASSERT_TRUE(end.has_value());
  EXPECT_THAT(std::string(end->message()), HasSubstr("Input/output error"));
  progress.Finish(*end);
  EXPECT_EQ(end_, *end);
  EXPECT_EQ(tally_.Snapshot().failures, 1);
}

TEST_F(ReadProgressTest, RefusesMisalignedJobs) {
  const auto check = [&](int64_t offset, int64_t begin, int64_t length) {
    return CheckJob({.file = file_,
                     .offset = offset,
                     .bytes = absl::Span<uint8_t>(buffer_.data() + begin, length),
                     .done = [](absl::Status) {}},
                    DirectReads::kAuto)
        .code();
  };
  EXPECT_EQ(check(kBlock, 0, kBlock), absl::StatusCode::kOk);
  EXPECT_EQ(check(100, 0, kBlock), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(check(-kBlock, 0, kBlock), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(check(0, 64, kBlock), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(check(0, 0, 100), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(check(0, 0, 0), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace memory3
