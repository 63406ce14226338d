// What every reader must do, for both of them, past the page cache and through it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <random>
#include <thread>
#include <tuple>
#include <vector>

#include "engine/base/aligned_buffer.h"
#include "engine/base/wake_signal.h"
#include "engine/memory/reader_factory.h"
#include "tests/unit/memory/reader_testing.h"

namespace memory3 {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kBlock = 4096;
constexpr int64_t kRecord = 5 * kBlock;
constexpr int kRecords = 16;

class ReaderTest : public testing::TestWithParam<std::tuple<ReaderKind, DirectReads>> {
 protected:
  void SetUp() override {
    const absl::Status status =
        CreateMemoryReader({.kind = std::get<0>(GetParam())}, nullptr).status();
    if (!status.ok()) GTEST_SKIP() << status;  // containers forbid io_uring
  }

  std::unique_ptr<MemoryReader> Make(MemoryReaderOptions options = {}) {
    std::tie(options.kind, options.direct) = GetParam();
    auto choice = CreateMemoryReader(std::move(options), nullptr);
    if (!choice.ok()) {
      ADD_FAILURE() << choice.status();
      return nullptr;
    }
    return std::move(choice->reader);
  }

  const TempFolder folder_;
  const std::string bytes_ = RandomBytes(1, kRecords* kRecord);
  const std::shared_ptr<const RecordFile> file_ =
      folder_.WriteAndOpen("records", bytes_, /*direct=*/true);
};

TEST_P(ReaderTest, DeliversTheBytes) {
  const auto reader = Make();
  for (int record : {0, 7, kRecords - 1}) {
    EXPECT_EQ(ReadAndWait(*reader, file_, record * kRecord, kRecord).value(),
              bytes_.substr(record * kRecord, kRecord));
  }
  EXPECT_EQ(reader->counters().reads, 3);
  EXPECT_EQ(reader->counters().failures, 0);
}

TEST_P(ReaderTest, PutsShortReadsTogether) {
  std::mt19937 random(2);  // the gate runs on one thread at a time: reads follow each other
  const auto reader = Make({.gate = [&](int, int64_t, int64_t length) {
    return std::uniform_int_distribution<int64_t>(1, length)(random);
  }});
  for (int record = 0; record < kRecords; ++record) {
    ASSERT_EQ(ReadAndWait(*reader, file_, record * kRecord, kRecord).value(),
              bytes_.substr(record * kRecord, kRecord));
  }
  EXPECT_GT(reader->counters().short_reads, 0);
}

TEST_P(ReaderTest, ATruncatedFileIsDataLoss) {
  const auto reader = Make();
  // Cut after it was opened and its size believed.
  std::filesystem::resize_file(file_->path(), 3 * kRecord + 100);
  EXPECT_EQ(ReadAndWait(*reader, file_, 2 * kRecord, kRecord).value(),
            bytes_.substr(2 * kRecord, kRecord));
  const absl::Status cut = ReadAndWait(*reader, file_, 3 * kRecord, kRecord).status();
  EXPECT_EQ(cut.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(cut.message()), HasSubstr("records: offset 61440"));
  EXPECT_THAT(std::string(cut.message()), HasSubstr("got 100 of 20480 bytes"));
  EXPECT_EQ(ReadAndWait(*reader, file_, 9 * kRecord, kRecord).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST_P(ReaderTest, ReportsTheSystemsErrorAndGoesOn) {
  std::atomic<bool> broken{true};
  const auto reader = Make({.gate = [&](int, int64_t, int64_t length) {
    return broken.exchange(false) ? -EIO : length;
  }});
  const absl::Status status = ReadAndWait(*reader, file_, 0, kRecord).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("Input/output error"));
  EXPECT_EQ(ReadAndWait(*reader, file_, 0, kRecord).value(), bytes_.substr(0, kRecord));
}

TEST_P(ReaderTest, IsNotDeterredByInterruptions) {
  std::atomic<int> calls{0};
  const auto reader = Make({.gate = [&](int, int64_t, int64_t length) -> int64_t {
    switch (calls++ % 3) {
      case 0:
        return -EINTR;
      case 1:
        return -EAGAIN;
      default:
        return length;
    }
  }});
  EXPECT_EQ(ReadAndWait(*reader, file_, kRecord, kRecord).value(), bytes_.substr(kRecord, kRecord));
  EXPECT_EQ(reader->counters().retries, 2);
}

TEST_P(ReaderTest, FallsBackToBufferedReadsFileByFile) {
  const auto other = folder_.WriteAndOpen("other", bytes_, /*direct=*/true);
  if (file_->direct_fd() < 0) GTEST_SKIP() << "the temporary folder has no O_DIRECT";
  const int refused = file_->direct_fd();
  const auto reader = Make(
      {.gate = [&](int fd, int64_t, int64_t length) { return fd == refused ? -EINVAL : length; }});
  const bool buffered = std::get<1>(GetParam()) == DirectReads::kOff;
  for (const auto& file : {file_, other}) {
    EXPECT_EQ(ReadAndWait(*reader, file, kRecord, kRecord).value(),
              bytes_.substr(kRecord, kRecord));
    EXPECT_EQ(ReadAndWait(*reader, file, 0, kRecord).value(), bytes_.substr(0, kRecord));
  }
  EXPECT_EQ(reader->counters().direct_fallbacks, buffered ? 0 : 1);
  EXPECT_GE(other->direct_fd(), 0);
}

TEST_P(ReaderTest, AFullQueueRefusesAtOnceAndOthersAreServed) {
  std::atomic<bool> open{false};
  const auto reader =
      Make({.depth = 1, .threads = 1, .queue = 2, .gate = [&](int, int64_t, int64_t n) {
              while (!open) std::this_thread::sleep_for(std::chrono::milliseconds(1));
              return n;
            }});
  AlignedBuffer buffer(kRecord, kBlock);
  std::atomic<int> done{0};
  int accepted = 0;
  absl::Status status;
  // One at the device, two in the queue; the first may still be in the queue when the third comes.
  while (status.ok() && accepted < 100) {
    status = reader->Read({.file = file_,
                           .offset = 0,
                           .bytes = {buffer.data(), buffer.size()},
                           .done = [&](absl::Status end) { done += end.ok(); }});
    accepted += status.ok();
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_GE(accepted, 2);
  EXPECT_LE(accepted, 3);
  open = true;
  for (int i = 0; i < 5000 && done < accepted; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(done, accepted);
}

TEST_P(ReaderTest, DestructionEndsEveryJobOnce) {
  constexpr int kJobs = 64;
  std::vector<std::atomic<int>> calls(kJobs);
  std::atomic<int> cancelled{0}, others{0};
  std::vector<AlignedBuffer> buffers;
  for (int i = 0; i < kJobs; ++i) buffers.emplace_back(kRecord, kBlock);
  auto reader = Make({.depth = 2, .threads = 2, .gate = [](int, int64_t, int64_t length) {
                        std::this_thread::sleep_for(std::chrono::milliseconds(20));
                        return length;
                      }});
  for (int i = 0; i < kJobs; ++i) {
    ASSERT_EQ(absl::OkStatus(), reader->Read({.file = file_,
                                              .offset = 0,
                                              .bytes = {buffers[i].data(), buffers[i].size()},
                                              .done = [&, i](absl::Status status) {
                                                ++calls[i];
                                                if (absl::IsCancelled(status)) {
                                                  ++cancelled;
                                                } else if (!status.ok()) {
                                                  ++others;
                                                }
                                              }}));
  }
  reader.reset();
  for (int i = 0; i < kJobs; ++i) EXPECT_EQ(calls[i], 1) << i;
  EXPECT_GT(cancelled, 0);
  EXPECT_EQ(others, 0);
}

TEST_P(ReaderTest, CallbacksMayReadAgain) {
  const auto reader = Make({.depth = 2, .threads = 2});
  AlignedBuffer buffer(kRecord, kBlock);
  int left = 500;
  WakeSignal finished;
  std::atomic<bool> ok{true};
  std::function<void(absl::Status)> next = [&](absl::Status status) {
    if (!status.ok()) ok = false;
    if (--left == 0) return finished.Set();
    const absl::Status queued = reader->Read({.file = file_,
                                              .offset = left % kRecords * kRecord,
                                              .bytes = {buffer.data(), buffer.size()},
                                              .done = next});
    if (!queued.ok()) ok = false;
  };
  next(absl::OkStatus());
  finished.WaitFor(absl::Seconds(60));
  EXPECT_TRUE(ok);
}

TEST_P(ReaderTest, ManyThreadsUnderRandomShortReadsGetTheirOwnBytes) {
  const auto buffers = RecordBuffers::Create(kRecord, 64, 16);
  const auto reader =
      Make({.depth = 8,
            .threads = 3,
            .buffers = buffers,
            .gate = [](int, int64_t offset, int64_t length) -> int64_t {
              thread_local std::mt19937 random(std::random_device{}());
              const int dice = static_cast<int>(random() % 8);
              if (dice == 0) return -EINTR;
              return dice < 3 ? 1 + static_cast<int64_t>(random() % length) : length;
            }});
  constexpr int kThreads = 4, kReads = 200;
  std::atomic<int> right{0}, ended{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int i = 0; i < kReads;) {
        std::shared_ptr<uint8_t> buffer = buffers->Take();
        if (buffer == nullptr) {
          std::this_thread::yield();
          continue;
        }
        ++i;
        const int64_t offset = static_cast<int64_t>(random() % kRecords) * kRecord;
        const absl::Span<uint8_t> span(buffer.get(), kRecord);
        const absl::Status queued = reader->Read(
            {.file = file_,
             .offset = offset,
             .bytes = span,
             .done = [&, buffer, offset, span](absl::Status status) {
               right += status.ok() &&
                        std::equal(span.begin(), span.end(),
                                   reinterpret_cast<const uint8_t*>(bytes_.data()) + offset);
               ++ended;
             }});
        if (!queued.ok()) ++ended;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < 60000 && ended < kThreads * kReads; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(right, kThreads * kReads);
}

INSTANTIATE_TEST_SUITE_P(Pread, ReaderTest,
                         testing::Combine(testing::Values(ReaderKind::kPread),
                                          testing::Values(DirectReads::kAuto, DirectReads::kOff)));
INSTANTIATE_TEST_SUITE_P(Ring, ReaderTest,
                         testing::Combine(testing::Values(ReaderKind::kIoUring),
                                          testing::Values(DirectReads::kAuto, DirectReads::kOff)));

}  // namespace
}  // namespace memory3
