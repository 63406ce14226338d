// A bank that is nowhere but in a formula: memory `id` is MakeTestMemory(shape, id). The store and
// the reader under a real MemoryLoader, with faults.
#ifndef MEMORY3_TESTS_UNIT_ENGINE_TEST_BANK_H_
#define MEMORY3_TESTS_UNIT_ENGINE_TEST_BANK_H_

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/base/check.h"
#include "engine/base/mutex.h"
#include "engine/memory/bank/record_checksum.h"
#include "engine/memory/memory_reader.h"
#include "engine/memory/memory_store.h"
#include "tests/unit/engine/courier.h"
#include "tests/unit/engine/fake_memory.h"

namespace memory3 {

inline constexpr uint64_t kTestEpoch = 5;

class TestBank final : public MemoryStore, public MemoryReader {
 public:
  explicit TestBank(MemoryId size, int max_delay_us = 0, uint32_t seed = 1)
      : courier(max_delay_us, seed), size_(size) {
    absl::StatusOr<std::shared_ptr<const RecordFile>> file =
        RecordFile::Open(M3_SOURCE_DIR "/LICENSE", /*direct=*/false);
    M3_CHECK(file.ok());
    file_ = *std::move(file);
  }

  Courier courier;  // brings what was read

  // Ids that are not there, have a text only, or whose bytes are damaged on the disk.
  void Delete(MemoryId id) { Mark(deleted_, id); }
  void MakeCold(MemoryId id) { Mark(cold_, id); }
  void Damage(MemoryId id) { Mark(damaged_, id); }
  // The next so many reads fail with `status`.
  void FailReads(int count, absl::Status status) {
    MutexLock lock(mutex_);
    failures_left_ = count;
    failure_ = std::move(status);
  }
  // After so many calls of Find the bank is closed, and one with the same memories opened:
  // kTestEpoch + 1.
  void SwapAfter(int finds) {
    MutexLock lock(mutex_);
    finds_until_swap_ = finds;
  }
  int reads() const {
    MutexLock lock(mutex_);
    return reads_;
  }

  const MemoryShape& shape() const override { return shape_; }
  uint64_t epoch() const override {
    MutexLock lock(mutex_);
    return epoch_;
  }
  bool IsOpen(uint64_t epoch) const override { return epoch == this->epoch(); }
  absl::StatusOr<RecordPlace> Find(const MemoryKey& key) const override {
    MutexLock lock(mutex_);
    if (finds_until_swap_ == 0) epoch_ = kTestEpoch + 1;
    --finds_until_swap_;
    if (key.epoch != epoch_ || key.id >= size_ || deleted_.contains(key.id)) {
      return absl::NotFoundError("no such memory");
    }
    if (cold_.contains(key.id)) return absl::FailedPreconditionError("has a text only");
    const std::shared_ptr<const MemoryTensor> memory = MakeTestMemory(shape_, key.id);
    return RecordPlace{.file = file_,
                       .offset = static_cast<int64_t>(key.id) * RecordBytes(shape_),
                       .tokens = memory->tokens,
                       .checksum = RecordChecksum(key.id, memory->tokens, memory->bytes)};
  }

  absl::Status Read(ReadJob job) override {
    const MemoryId id = job.offset / RecordBytes(shape_);
    absl::Status status;
    bool damaged = false;
    {
      MutexLock lock(mutex_);
      ++reads_;
      if (failures_left_ > 0) {
        --failures_left_;
        status = failure_;
      }
      damaged = damaged_.contains(id);
    }
    auto shared = std::make_shared<ReadJob>(std::move(job));
    courier.Deliver([this, shared, id, status, damaged] {
      if (status.ok()) {
        const std::shared_ptr<const MemoryTensor> memory = MakeTestMemory(shape_, id);
        std::copy(memory->bytes.begin(), memory->bytes.end(), shared->bytes.begin());
        if (damaged) shared->bytes[9] ^= 1;
      }
      shared->done(status);
    });
    return absl::OkStatus();
  }
  std::string_view name() const override { return "test bank"; }

 private:
  void Mark(std::set<MemoryId>& ids, MemoryId id) {
    MutexLock lock(mutex_);
    ids.insert(id);
  }

  const MemoryShape shape_ = TestMemoryShape();
  const MemoryId size_;
  std::shared_ptr<const RecordFile> file_;  // for names in messages; nothing is in it
  mutable Mutex mutex_;
  std::set<MemoryId> deleted_ ABSL_GUARDED_BY(mutex_);
  std::set<MemoryId> cold_ ABSL_GUARDED_BY(mutex_);
  std::set<MemoryId> damaged_ ABSL_GUARDED_BY(mutex_);
  int failures_left_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  int reads_ ABSL_GUARDED_BY(mutex_) = 0;
  mutable uint64_t epoch_ ABSL_GUARDED_BY(mutex_) = kTestEpoch;
  mutable int finds_until_swap_ ABSL_GUARDED_BY(mutex_) = -1;
};

}  // namespace memory3

#endif  // MEMORY3_TESTS_UNIT_ENGINE_TEST_BANK_H_
