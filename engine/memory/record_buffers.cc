#include "engine/memory/record_buffers.h"

#include <sys/mman.h>

#include <algorithm>

#include "engine/base/check.h"
#include "engine/runner/memory_tensor.h"

namespace memory3 {
namespace {

constexpr int64_t kHugePageBytes = int64_t{2} << 20;
constexpr int64_t kGrowthBytes = 2 * kHugePageBytes;

}  // namespace

std::shared_ptr<RecordBuffers> RecordBuffers::Create(int64_t record_bytes, int limit, int fixed) {
  M3_CHECK(record_bytes > 0 && record_bytes % kRecordAlignment == 0);
  M3_CHECK(limit > 0 && fixed >= 0);
  const int64_t most_fixed = std::min<int64_t>(limit, kMaxFixedBufferBytes / record_bytes);
  return std::shared_ptr<RecordBuffers>(new RecordBuffers(
      record_bytes, limit, static_cast<int>(std::min<int64_t>(fixed, most_fixed))));
}

RecordBuffers::RecordBuffers(int64_t record_bytes, int limit, int fixed)
    : record_bytes_(record_bytes), limit_(limit) {
  MutexLock lock(mutex_);
  free_fixed_.reserve(fixed);
  free_plain_.reserve(limit - fixed);
  if (fixed == 0) return;
  fixed_block_ = {Grow(fixed, &free_fixed_), static_cast<size_t>(fixed * record_bytes)};
}

uint8_t* RecordBuffers::Grow(int64_t count, std::vector<uint8_t*>* free) {
  const int64_t bytes =
      (count * record_bytes_ + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
  // Not touched here: the first read into a page pays for it, on the reader's side.
  blocks_.emplace_back(static_cast<uint8_t*>(std::aligned_alloc(kHugePageBytes, bytes)));
  uint8_t* const block = blocks_.back().get();
  M3_CHECK(block != nullptr);
  madvise(block, bytes, MADV_HUGEPAGE);  // advice only
  for (int64_t i = count - 1; i >= 0; --i) free->push_back(block + i * record_bytes_);
  allocated_ += count;
  return block;
}

std::shared_ptr<uint8_t> RecordBuffers::Take() {
  uint8_t* buffer = nullptr;
  {
    MutexLock lock(mutex_);
    if (in_use_ == limit_) return nullptr;
    if (free_fixed_.empty() && free_plain_.empty()) {
      Grow(std::min(limit_ - allocated_, std::max<int64_t>(1, kGrowthBytes / record_bytes_)),
           &free_plain_);
    }
    std::vector<uint8_t*>& free = free_fixed_.empty() ? free_plain_ : free_fixed_;
    buffer = free.back();
    free.pop_back();
    ++in_use_;
  }
  return {buffer, [self = shared_from_this()](uint8_t* returned) { self->GiveBack(returned); }};
}

void RecordBuffers::GiveBack(uint8_t* buffer) {
  MutexLock lock(mutex_);
  --in_use_;
  (IsFixed(buffer) ? free_fixed_ : free_plain_).push_back(buffer);
}

int RecordBuffers::in_use() const {
  MutexLock lock(mutex_);
  return in_use_;
}

bool RecordBuffers::IsFixed(const uint8_t* buffer) const {
  return buffer >= fixed_block_.data() && buffer < fixed_block_.data() + fixed_block_.size();
}

}  // namespace memory3
