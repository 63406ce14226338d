#include "engine/memory/reader_factory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <liburing.h>
#include <sys/syscall.h>

#include <cerrno>
#include <string>

#include "tests/unit/memory/reader_testing.h"

namespace memory3 {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr int64_t kBlock = 4096;

class ReaderFactoryTest : public testing::Test {
 protected:
  static bool RingIsAllowed() {
    return CreateMemoryReader({.kind = ReaderKind::kIoUring}, nullptr).ok();
  }

  const TempFolder folder_;
  const std::string bytes_ = RandomBytes(3, 4 * kBlock);
  const std::shared_ptr<const RecordFile> file_ =
      folder_.WriteAndOpen("records", bytes_, /*direct=*/true);
};

TEST_F(ReaderFactoryTest, AutoTakesTheRingWhereItIsAllowed) {
  if (!RingIsAllowed()) GTEST_SKIP() << "io_uring is forbidden here";
  const auto choice = CreateMemoryReader(
      {.depth = 7, .buffers = RecordBuffers::Create(kBlock, 4, /*fixed=*/4)}, file_);
  ASSERT_TRUE(choice.ok()) << choice.status();
  EXPECT_THAT(choice->summary, StartsWith("memory reads: io_uring, "));
  EXPECT_THAT(choice->summary, HasSubstr("up to 7 at once"));
  EXPECT_EQ(ReadAndWait(*choice->reader, file_, kBlock, kBlock).value(),
            bytes_.substr(kBlock, kBlock));
}

TEST_F(ReaderFactoryTest, AutoTakesThreadsWhereTheRingIsForbidden) {
  WithDeniedSystemCall(__NR_io_uring_setup, EPERM, -1, [&] {
    const auto choice = CreateMemoryReader({.threads = 3}, file_);
    ASSERT_TRUE(choice.ok()) << choice.status();
    EXPECT_THAT(choice->summary, StartsWith("memory reads: pread, "));
    EXPECT_THAT(choice->summary, HasSubstr("up to 3 at once; no io_uring: io_uring_setup: "));
    EXPECT_THAT(choice->summary, HasSubstr("Operation not permitted"));
    EXPECT_THAT(choice->summary, Not(HasSubstr("\n")));
    EXPECT_EQ(ReadAndWait(*choice->reader, file_, 0, kBlock).value(), bytes_.substr(0, kBlock));
  });
}

TEST_F(ReaderFactoryTest, ARingDemandedAndForbiddenIsAnError) {
  WithDeniedSystemCall(__NR_io_uring_setup, ENOSYS, -1, [&] {
    const auto choice = CreateMemoryReader({.kind = ReaderKind::kIoUring}, file_);
    EXPECT_EQ(choice.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(choice.status().message()), HasSubstr("io_uring is demanded"));
    EXPECT_THAT(std::string(choice.status().message()), HasSubstr("not implemented"));
  });
}

TEST_F(ReaderFactoryTest, BuffersThatCannotBeRegisteredAreUsedAllTheSame) {
  if (!RingIsAllowed()) GTEST_SKIP() << "io_uring is forbidden here";
  WithDeniedSystemCall(__NR_io_uring_register, ENOMEM, IORING_REGISTER_BUFFERS, [&] {
    const auto choice =
        CreateMemoryReader({.buffers = RecordBuffers::Create(kBlock, 4, /*fixed=*/4)}, file_);
    ASSERT_TRUE(choice.ok()) << choice.status();
    EXPECT_THAT(choice->summary, StartsWith("memory reads: io_uring, "));
    EXPECT_THAT(choice->summary, HasSubstr("no fixed buffers: registering"));
    EXPECT_THAT(std::string(choice->reader->name()), Not(HasSubstr("fixed")));
    EXPECT_EQ(ReadAndWait(*choice->reader, file_, 0, kBlock).value(), bytes_.substr(0, kBlock));
  });
}

TEST_F(ReaderFactoryTest, AFileWithoutDirectReadsIsSaidOrRefused) {
  const auto buffered = RecordFile::Open(file_->path(), /*direct=*/false).value();
  const auto choice = CreateMemoryReader({}, buffered);
  ASSERT_TRUE(choice.ok()) << choice.status();
  EXPECT_THAT(choice->summary, HasSubstr("buffered"));
  EXPECT_THAT(choice->summary, HasSubstr("no O_DIRECT: " + file_->path().native()));
  EXPECT_EQ(CreateMemoryReader({.direct = DirectReads::kOn}, buffered).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(ReaderFactoryTest, FindsOutThatDirectReadsFailOnlyByReading) {
  if (file_->direct_fd() < 0) GTEST_SKIP() << "the temporary folder has no O_DIRECT";
  const int direct_fd = file_->direct_fd();
  const SystemReadGate gate = [direct_fd](int fd, int64_t, int64_t length) {
    return fd == direct_fd ? -EINVAL : length;
  };
  for (const ReaderKind kind : {ReaderKind::kPread, ReaderKind::kAuto}) {
    const auto demanded =
        CreateMemoryReader({.kind = kind, .direct = DirectReads::kOn, .gate = gate}, file_);
    EXPECT_EQ(demanded.status().code(), absl::StatusCode::kFailedPrecondition);
  }
  const auto choice = CreateMemoryReader({.gate = gate}, file_);
  ASSERT_TRUE(choice.ok()) << choice.status();
  EXPECT_THAT(choice->summary, HasSubstr("no O_DIRECT"));
}

TEST_F(ReaderFactoryTest, WorksWithoutAFileToTry) {
  const auto empty = folder_.WriteAndOpen("empty", "", /*direct=*/true);
  for (const auto& probe : {std::shared_ptr<const RecordFile>(), empty}) {
    const auto choice = CreateMemoryReader({}, probe);
    ASSERT_TRUE(choice.ok()) << choice.status();
    EXPECT_EQ(ReadAndWait(*choice->reader, file_, 0, kBlock).value(), bytes_.substr(0, kBlock));
  }
}

TEST_F(ReaderFactoryTest, BadOptionsAreNamed) {
  EXPECT_THAT(std::string(CreateMemoryReader({.depth = 0}, file_).status().message()),
              HasSubstr("depth is 0"));
  EXPECT_THAT(std::string(CreateMemoryReader({.threads = 1000}, file_).status().message()),
              HasSubstr("threads is 1000"));
  EXPECT_THAT(std::string(CreateMemoryReader({.queue = -1}, file_).status().message()),
              HasSubstr("queue is -1"));
}

}  // namespace
}  // namespace memory3
