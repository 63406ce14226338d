// Aligned buffers of one record each, which come back by themselves.
//
//   auto buffers = RecordBuffers::Create(RecordBytes(shape), /*limit=*/512, /*fixed=*/64);
//   std::shared_ptr<uint8_t> buffer = buffers->Take();  // null when all are in use
//
// The first `fixed` lie in one block that io_uring can register, which spares it to look up and pin
// their pages at every read; they are given out first. The others are allocated when first needed,
// some megabytes at a time, and kept. All lie in huge pages where the system has them: a direct
// read into scattered small pages is cut into pieces on its way to the device, which can halve the
// rate (bench/results/memory-reader.md). Contents are those of the last use.
#ifndef MEMORY3_ENGINE_MEMORY_RECORD_BUFFERS_H_
#define MEMORY3_ENGINE_MEMORY_RECORD_BUFFERS_H_

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/types/span.h"
#include "engine/base/mutex.h"

namespace memory3 {

// The kernel registers no larger buffer in one piece.
inline constexpr int64_t kMaxFixedBufferBytes = int64_t{1} << 30;

// Thread-safe. Lives until the last buffer has come back.
class RecordBuffers : public std::enable_shared_from_this<RecordBuffers> {
 public:
  // `record_bytes` is a positive multiple of kRecordAlignment, `limit` positive; `fixed` is cut to
  // `limit` and to what kMaxFixedBufferBytes holds.
  static std::shared_ptr<RecordBuffers> Create(int64_t record_bytes, int limit, int fixed = 0);
  RecordBuffers(const RecordBuffers&) = delete;
  RecordBuffers& operator=(const RecordBuffers&) = delete;

  // record_bytes() bytes on a border of kRecordAlignment; null when limit() buffers are in use.
  std::shared_ptr<uint8_t> Take();

  int64_t record_bytes() const { return record_bytes_; }
  int limit() const { return limit_; }
  int in_use() const;
  // The block of the fixed buffers; empty when there are none.
  absl::Span<uint8_t> fixed_block() const { return fixed_block_; }
  bool IsFixed(const uint8_t* buffer) const;

 private:
  struct Free {
    void operator()(uint8_t* block) const { std::free(block); }
  };
  using Block = std::unique_ptr<uint8_t, Free>;

  RecordBuffers(int64_t record_bytes, int limit, int fixed);
  // Appends `count` buffers to *free; returns their block.
  uint8_t* Grow(int64_t count, std::vector<uint8_t*>* free) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GiveBack(uint8_t* buffer);

  const int64_t record_bytes_;
  const int limit_;
  absl::Span<uint8_t> fixed_block_;
  mutable Mutex mutex_;
  std::vector<Block> blocks_ ABSL_GUARDED_BY(mutex_);
  int64_t allocated_ ABSL_GUARDED_BY(mutex_) = 0;  // buffers in them
  std::vector<uint8_t*> free_fixed_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint8_t*> free_plain_ ABSL_GUARDED_BY(mutex_);
  int in_use_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_RECORD_BUFFERS_H_
