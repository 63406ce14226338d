// Loads from many threads while the device lies, fails and dawdles: whatever arrives is the truth.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <random>
#include <thread>
#include <vector>

#include "engine/memory/memory_loader.h"
#include "engine/memory/reader_factory.h"
#include "tests/unit/memory/faulty_reader.h"
#include "tests/unit/memory/test_store.h"

namespace memory3 {
namespace {

constexpr int kRecords = 200;
constexpr int kThreads = 6;
constexpr int kLoadsEach = 1500;
constexpr int kWaitingEach = 6;
constexpr int64_t kCachedRecords = 30;

// One decision of a function of (seed, number) alone, so that every thread may ask.
uint64_t Dice(uint64_t seed, int64_t number) {
  std::seed_seq sequence{seed, static_cast<uint64_t>(number)};
  return std::mt19937_64(sequence)();
}

ReadFault RandomFault(uint64_t seed, int64_t number, int64_t record_bytes) {
  const uint64_t dice = Dice(seed, number);
  const int64_t somewhere = static_cast<int64_t>((dice >> 8) % record_bytes);
  const absl::Duration delay = absl::Microseconds(dice >> 20 & 1023);
  switch (dice % 16) {
    case 0:
      return {.error = absl::UnavailableError("no device"), .delay = delay};
    case 1:
      return {.error = absl::DataLossError("the file ends early"), .delay = delay};
    case 2:
    case 3:
      return {.flip_at = somewhere, .delay = delay};
    case 4:
    case 5:
    case 6:
      return {.delay = delay};
    default:
      return {};
  }
}

class LoaderStressTest : public testing::TestWithParam<ReaderKind> {
 protected:
  void LoadAtRandom(MemoryLoader& loader, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::atomic<int> waiting{0};
    const auto wait_until_below = [&waiting](int limit) {
      while (waiting >= limit) std::this_thread::sleep_for(std::chrono::microseconds(50));
    };
    for (int i = 0; i < kLoadsEach; ++i) {
      wait_until_below(kWaitingEach);
      // Half of the loads go to a tenth of the records.
      const MemoryId id = random() % (random() % 2 == 0 ? kRecords / 10 : kRecords);
      if (random() % 50 == 0) loader.Forget(TestStore::Key(id));  // ends a quarantine, too
      ++waiting;
      loader.Load(TestStore::Key(id), [this, id, &waiting](LoadedMemory loaded) {
        ++ended_;
        if (loaded.tensor.ok()) {
          ++delivered_;
          wrong_ += loaded.key != TestStore::Key(id) || !store_.IsTruth(id, **loaded.tensor);
        }
        --waiting;
      });
      over_budget_ += loader.counters().host_cache_bytes > kCachedRecords * store_.record_bytes();
    }
    wait_until_below(1);
  }

  TestStore store_{kRecords, /*seed=*/5};
  std::atomic<int> ended_{0}, delivered_{0}, wrong_{0}, over_budget_{0};
};

TEST_P(LoaderStressTest, OnlyTheTruthIsDelivered) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  const MemoryLoaderOptions sizes = {.host_cache_bytes = kCachedRecords * store_.record_bytes(),
                                     .max_loads = kThreads * kWaitingEach};
  const auto buffers = RecordBuffers::Create(
      store_.record_bytes(), LoaderBuffers(sizes, store_.record_bytes()), /*fixed=*/20);
  const auto choice = CreateMemoryReader(
      {.kind = GetParam(),
       .depth = 8,
       .threads = 3,
       .buffers = buffers,
       .gate =
           [](int, int64_t offset, int64_t length) {
             return offset / 4096 % 5 == 0 && length > 1000 ? length - 999 : length;  // short reads
           }},
      nullptr);
  if (!choice.ok()) GTEST_SKIP() << choice.status();  // containers forbid io_uring
  MemoryLoaderCounters counters;
  {
    FaultyReader reader(*choice->reader, [&](int64_t number, int64_t) {
      return RandomFault(seed, number, store_.record_bytes());
    });
    MemoryLoaderOptions options = sizes;
    options.buffers = buffers;
    MemoryLoader loader(options, store_, reader, nullptr);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] { LoadAtRandom(loader, seed + t); });
    }
    for (std::thread& thread : threads) thread.join();
    counters = loader.counters();
  }
  EXPECT_EQ(ended_, kThreads * kLoadsEach);
  EXPECT_EQ(wrong_, 0);
  EXPECT_EQ(over_budget_, 0);
  EXPECT_EQ(buffers->in_use(), 0);
  // The storm was one, and most loads came through it.
  EXPECT_GT(delivered_, kThreads * kLoadsEach / 4);
  EXPECT_GT(counters.checksum_errors, 0);
  EXPECT_GT(counters.read_errors, 0);
  EXPECT_GT(counters.quarantined, 0);
  EXPECT_GT(counters.host_hits, 0);
}

INSTANTIATE_TEST_SUITE_P(Readers, LoaderStressTest,
                         testing::Values(ReaderKind::kPread, ReaderKind::kIoUring));

}  // namespace
}  // namespace memory3
