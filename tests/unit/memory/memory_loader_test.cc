#include "engine/memory/memory_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <optional>
#include <thread>
#include <vector>

#include "engine/memory/host_cache.h"
#include "engine/memory/pread_reader.h"
#include "tests/unit/memory/faulty_reader.h"
#include "tests/unit/memory/test_store.h"

namespace memory3 {
namespace {

using ::testing::HasSubstr;

constexpr int kRecords = 32;

class MemoryLoaderTest : public testing::Test {
 protected:
  static MemoryKey Key(MemoryId id) { return TestStore::Key(id); }
  int64_t record() const { return store_.record_bytes(); }

  // `plan` is what the device does to each read.
  MemoryLoader& Start(MemoryLoaderOptions options, FaultyReader::Plan plan = nullptr) {
    reader_.emplace(base_, std::move(plan));
    loader_.emplace(options, store_, *reader_, &clock_);
    return *loader_;
  }
  MemoryLoader& Start(FaultyReader::Plan plan = nullptr) {
    return Start(MemoryLoaderOptions{.host_cache_bytes = 4 * record(), .max_loads = 8},
                 std::move(plan));
  }
  LoadedMemory LoadAndWait(MemoryKey key) {
    std::promise<LoadedMemory> promise;
    loader_->Load(key, [&](LoadedMemory loaded) { promise.set_value(std::move(loaded)); });
    return promise.get_future().get();
  }
  absl::StatusCode CodeOf(MemoryKey key) { return LoadAndWait(key).tensor.status().code(); }

  TestStore store_{kRecords};
  ManualClock clock_;
  PreadReader base_{MemoryReaderOptions{.threads = 2, .queue = 64}};
  std::optional<FaultyReader> reader_;
  std::optional<MemoryLoader> loader_;
};

FaultyReader::Plan Always(ReadFault fault) {
  return [fault](int64_t, int64_t) { return fault; };
}
FaultyReader::Plan AtFirst(ReadFault fault) {
  return [fault](int64_t number, int64_t) { return number == 0 ? fault : ReadFault(); };
}

TEST_F(MemoryLoaderTest, DeliversTheMemoryFromDiskThenFromTheCache) {
  Start();
  for (const MemoryTier tier : {MemoryTier::kDisk, MemoryTier::kHost}) {
    const LoadedMemory loaded = LoadAndWait(Key(7));
    ASSERT_TRUE(loaded.tensor.ok()) << loaded.tensor.status();
    EXPECT_TRUE(store_.IsTruth(7, **loaded.tensor));
    EXPECT_EQ(loaded.key, Key(7));
    EXPECT_EQ(loaded.tier, tier);
  }
  EXPECT_EQ(reader_->reads(), 1);
  const MemoryLoaderCounters counters = loader_->counters();
  EXPECT_EQ(counters.disk_loads, 1);
  EXPECT_EQ(counters.host_hits, 1);
  EXPECT_EQ(counters.disk_bytes, record());
  EXPECT_EQ(counters.host_cache_bytes, record());
}

TEST_F(MemoryLoaderTest, LoadReturnsAtOnceAndMeasuresTheWholeWait) {
  Start();
  reader_->Hold();
  std::promise<LoadedMemory> promise;
  loader_->Load(Key(1), [&](LoadedMemory loaded) { promise.set_value(std::move(loaded)); });
  EXPECT_EQ(loader_->counters().in_flight, 1);  // we are here although nothing can complete
  clock_.Advance(absl::Milliseconds(250));
  reader_->Release();
  EXPECT_EQ(promise.get_future().get().load_time, absl::Milliseconds(250));
  EXPECT_EQ(loader_->counters().in_flight, 0);
}

TEST_F(MemoryLoaderTest, ManyWaitersShareOneRead) {
  constexpr int kThreads = 8, kLoadsEach = 8;
  Start({.host_cache_bytes = 0, .max_loads = 1});
  reader_->Hold();
  Mutex mutex;
  std::vector<SharedMemory> delivered;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kLoadsEach; ++i) {
        loader_->Load(Key(5), [&](LoadedMemory loaded) {
          MutexLock lock(mutex);
          delivered.push_back(loaded.tensor.value_or(nullptr));
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(reader_->reads(), 1);
  EXPECT_EQ(loader_->counters().shared_loads, kThreads * kLoadsEach - 1);
  reader_->Release();
  loader_.reset();  // waits
  ASSERT_EQ(delivered.size(), kThreads * kLoadsEach);
  ASSERT_NE(delivered[0], nullptr);
  EXPECT_TRUE(store_.IsTruth(5, *delivered[0]));
  for (const SharedMemory& memory : delivered) EXPECT_EQ(memory, delivered[0]);
  EXPECT_EQ(reader_->reads(), 1);
}

TEST_F(MemoryLoaderTest, AnErrorReachesEveryWaiter) {
  constexpr int kWaiters = 64;
  Start(Always({.error = absl::UnavailableError("no device")}));
  reader_->Hold();
  std::atomic<int> failed{0};
  for (int i = 0; i < kWaiters; ++i) {
    loader_->Load(Key(5), [&](LoadedMemory loaded) {
      failed += absl::IsUnavailable(loaded.tensor.status());
    });
  }
  reader_->Release();
  loader_.reset();
  EXPECT_EQ(failed, kWaiters);
  EXPECT_EQ(reader_->reads(), 2);
}

TEST_F(MemoryLoaderTest, APassingErrorCostsOneReadMore) {
  Start(AtFirst({.error = absl::UnknownError("Input/output error")}));
  const LoadedMemory loaded = LoadAndWait(Key(3));
  ASSERT_TRUE(loaded.tensor.ok()) << loaded.tensor.status();
  EXPECT_TRUE(store_.IsTruth(3, **loaded.tensor));
  EXPECT_EQ(loader_->counters().read_errors, 1);
  EXPECT_EQ(loader_->counters().quarantined, 0);
}

TEST_F(MemoryLoaderTest, ALastingErrorQuarantinesNothing) {
  std::atomic<bool> broken{true};
  Start([&](int64_t, int64_t) {
    return broken ? ReadFault{.error = absl::UnknownError("Input/output error")} : ReadFault();
  });
  EXPECT_EQ(CodeOf(Key(3)), absl::StatusCode::kUnknown);
  EXPECT_EQ(loader_->counters().read_errors, 2);
  broken = false;
  EXPECT_EQ(CodeOf(Key(3)), absl::StatusCode::kOk);
}

TEST_F(MemoryLoaderTest, ABitFlippedOnTheWayCostsOneReadMore) {
  Start(AtFirst({.flip_at = 1234}));
  const LoadedMemory loaded = LoadAndWait(Key(3));
  ASSERT_TRUE(loaded.tensor.ok()) << loaded.tensor.status();
  EXPECT_TRUE(store_.IsTruth(3, **loaded.tensor));
  EXPECT_EQ(loader_->counters().checksum_errors, 1);
  EXPECT_EQ(loader_->counters().quarantined, 0);
}

TEST_F(MemoryLoaderTest, ADamagedRecordIsQuarantinedAndOthersAreNot) {
  Start([this](int64_t, int64_t offset) {
    return offset == 3 * record() ? ReadFault{.flip_at = record() - 1} : ReadFault();
  });
  const absl::Status status = LoadAndWait(Key(3)).tensor.status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("memory 3 of epoch 7"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("offset 12288"));
  EXPECT_EQ(reader_->reads(), 2);
  EXPECT_EQ(CodeOf(Key(3)), absl::StatusCode::kDataLoss);
  EXPECT_EQ(reader_->reads(), 2);  // not even tried
  EXPECT_EQ(CodeOf(Key(4)), absl::StatusCode::kOk);
  const MemoryLoaderCounters counters = loader_->counters();
  EXPECT_EQ(counters.checksum_errors, 2);
  EXPECT_EQ(counters.quarantined, 1);
  EXPECT_EQ(counters.quarantine_hits, 1);
}

TEST_F(MemoryLoaderTest, EveryBitOfARecordIsChecked) {
  Start({.host_cache_bytes = 0, .max_loads = 8},
        [this](int64_t number, int64_t) { return ReadFault{.flip_at = number * 61 % record()}; });
  for (int id = 0; id < kRecords; ++id) EXPECT_EQ(CodeOf(Key(id)), absl::StatusCode::kDataLoss);
  EXPECT_EQ(loader_->counters().disk_loads, 0);
}

TEST_F(MemoryLoaderTest, RightBytesOfTheWrongRecordAreRefused) {
  std::swap(store_.places[4].offset, store_.places[9].offset);  // whole, but another's
  std::swap(store_.places[5], store_.places[10]);  // its own checksum, but another id and as many
  store_.places[6].tokens = (store_.places[6].tokens + 1) % 4;
  store_.places[8].tokens = store_.shape().kept_tokens + 1;
  Start();
  for (const MemoryId id : {4, 9, 5, 10, 6, 8}) {
    EXPECT_EQ(CodeOf(Key(id)), absl::StatusCode::kDataLoss) << id;
  }
}

TEST_F(MemoryLoaderTest, ATruncatedFileIsDataLossAndQuarantined) {
  Start();
  std::filesystem::resize_file(store_.path(), 10 * record() + 100);
  EXPECT_EQ(CodeOf(Key(9)), absl::StatusCode::kOk);
  const absl::Status status = LoadAndWait(Key(10)).tensor.status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("got 100 of 4096 bytes"));
  EXPECT_EQ(CodeOf(Key(11)), absl::StatusCode::kDataLoss);
  EXPECT_EQ(loader_->counters().quarantined, 2);
  EXPECT_EQ(loader_->counters().read_errors, 4);
}

TEST_F(MemoryLoaderTest, WhatTheStoreDoesNotHaveEndsAtOnceOnThisThread) {
  store_.places[2].file = nullptr;
  Start();
  std::optional<absl::StatusCode> code;
  loader_->Load(Key(1000), [&](LoadedMemory loaded) { code = loaded.tensor.status().code(); });
  EXPECT_EQ(code, absl::StatusCode::kNotFound);
  loader_->Load(Key(2), [&](LoadedMemory loaded) { code = loaded.tensor.status().code(); });
  EXPECT_EQ(code, absl::StatusCode::kFailedPrecondition);
  loader_->Load({1, 1}, [&](LoadedMemory loaded) { code = loaded.tensor.status().code(); });
  EXPECT_EQ(code, absl::StatusCode::kNotFound);
  EXPECT_EQ(reader_->reads(), 0);
  EXPECT_EQ(loader_->counters().in_flight, 0);
}

TEST_F(MemoryLoaderTest, TheCacheKeepsToItsBudgetAndWhatLeavesStaysValid) {
  Start();  // four records
  const SharedMemory held = LoadAndWait(Key(0)).tensor.value();
  for (int id = 1; id < kRecords; ++id) {
    EXPECT_EQ(CodeOf(Key(id)), absl::StatusCode::kOk);
    EXPECT_LE(loader_->counters().host_cache_bytes, 4 * record());
  }
  EXPECT_TRUE(store_.IsTruth(0, *held));
  EXPECT_EQ(LoadAndWait(Key(kRecords - 1)).tier, MemoryTier::kHost);
  EXPECT_EQ(LoadAndWait(Key(kRecords - 5)).tier, MemoryTier::kDisk);
}

TEST_F(MemoryLoaderTest, WithoutACacheNothingIsKept) {
  const auto buffers = RecordBuffers::Create(record(), 2);
  Start({.host_cache_bytes = 0, .max_loads = 2, .buffers = buffers});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(LoadAndWait(Key(1)).tier, MemoryTier::kDisk);
  EXPECT_EQ(reader_->reads(), 3);
  loader_.reset();
  reader_.reset();
  EXPECT_EQ(buffers->in_use(), 0);
}

TEST_F(MemoryLoaderTest, TooManyLoadsAreRefusedAtOnceAndJoiningIsNotOne) {
  Start({.host_cache_bytes = 0, .max_loads = 2});
  reader_->Hold();
  std::atomic<int> good{0};
  const auto count = [&](LoadedMemory loaded) { good += loaded.tensor.ok(); };
  loader_->Load(Key(1), count);
  loader_->Load(Key(2), count);
  EXPECT_EQ(CodeOf(Key(3)), absl::StatusCode::kResourceExhausted);
  loader_->Load(Key(2), count);
  EXPECT_EQ(loader_->counters().rejected, 1);
  reader_->Release();
  loader_.reset();
  EXPECT_EQ(good, 3);
}

TEST_F(MemoryLoaderTest, BuffersThatUsersKeepAreMissingToOthersOnly) {
  Start({.host_cache_bytes = 0, .max_loads = 8, .buffers = RecordBuffers::Create(record(), 2)});
  SharedMemory first = LoadAndWait(Key(1)).tensor.value();
  const SharedMemory second = LoadAndWait(Key(2)).tensor.value();
  EXPECT_EQ(CodeOf(Key(3)), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(store_.IsTruth(1, *first));
  first.reset();
  // The loader lets go of its own reference right after the callback.
  while (CodeOf(Key(3)) != absl::StatusCode::kOk) std::this_thread::yield();
  EXPECT_TRUE(store_.IsTruth(2, *second));
}

TEST_F(MemoryLoaderTest, AFullQueueOfTheReaderIsAnErrorOfThatLoadAlone) {
  std::atomic<bool> open{false};
  PreadReader narrow({.threads = 1, .queue = 1, .gate = [&](int, int64_t, int64_t length) {
                        while (!open) std::this_thread::sleep_for(std::chrono::milliseconds(1));
                        return length;
                      }});
  std::atomic<int> good{0}, refused{0};
  {
    MemoryLoader loader({.host_cache_bytes = 0, .max_loads = 100}, store_, narrow, nullptr);
    for (int id = 0; id < 10; ++id) {
      loader.Load(Key(id), [&](LoadedMemory loaded) {
        good += loaded.tensor.ok();
        refused += absl::IsResourceExhausted(loaded.tensor.status());
      });
    }
    EXPECT_GE(refused, 8);
    EXPECT_EQ(loader.counters().rejected, refused);
    open = true;
  }
  EXPECT_GE(good, 1);
  EXPECT_EQ(good + refused, 10);
}

TEST_F(MemoryLoaderTest, InsertedMemoriesAreServedFromTheCacheUntilForgotten) {
  Start();
  auto tensor = NewMemoryTensor(store_.shape());
  loader_->Insert(Key(kFirstTaughtId), tensor);
  const LoadedMemory loaded = LoadAndWait(Key(kFirstTaughtId));
  EXPECT_EQ(loaded.tensor.value(), tensor);
  EXPECT_EQ(loaded.tier, MemoryTier::kHost);
  loader_->Forget(Key(kFirstTaughtId));
  EXPECT_EQ(CodeOf(Key(kFirstTaughtId)), absl::StatusCode::kNotFound);
}

TEST_F(MemoryLoaderTest, AMemoryForgottenOnItsWayIsNotKept) {
  Start();
  reader_->Hold();
  std::atomic<int> good{0}, ended{0};
  const auto count = [&](LoadedMemory loaded) {
    good += loaded.tensor.ok();
    ++ended;
  };
  loader_->Load(Key(1), count);
  loader_->Forget(Key(1));
  loader_->Load(Key(1), count);  // a flight of its own
  loader_->Forget(Key(1));
  EXPECT_EQ(reader_->reads(), 2);
  reader_->Release();
  while (ended < 2) std::this_thread::yield();
  EXPECT_EQ(good, 2);
  EXPECT_EQ(LoadAndWait(Key(1)).tier, MemoryTier::kDisk);
}

TEST_F(MemoryLoaderTest, CallbacksMayLoadAgain) {
  Start();
  std::promise<absl::StatusCode> promise;
  loader_->Load(Key(1), [&](LoadedMemory) {
    loader_->Load(Key(2), [&](LoadedMemory) {
      loader_->Load(Key(1),
                    [&](LoadedMemory loaded) { promise.set_value(loaded.tensor.status().code()); });
    });
  });
  EXPECT_EQ(promise.get_future().get(), absl::StatusCode::kOk);
}

TEST_F(MemoryLoaderTest, DestructionWaitsForEveryCallback) {
  Start(Always({.delay = absl::Milliseconds(20)}));
  std::atomic<int> called{0};
  for (int id = 0; id < 8; ++id) loader_->Load(Key(id), [&](LoadedMemory) { ++called; });
  loader_.reset();
  EXPECT_EQ(called, 8);
}

TEST_F(MemoryLoaderTest, BuffersAreEnoughForAFullCacheAndAllLoads) {
  EXPECT_EQ(LoaderBuffers({.host_cache_bytes = 10 * 4096 + 1, .max_loads = 3}, 4096), 13);
  EXPECT_EQ(LoaderBuffers({.host_cache_bytes = 0, .max_loads = 3}, 4096), 3);
}

}  // namespace
}  // namespace memory3
