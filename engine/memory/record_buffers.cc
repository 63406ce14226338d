#include "engine/memory/record_buffers.h"

#include <algorithm>
#include <cstdlib>

#include "engine/base/check.h"
#include "engine/runner/memory_tensor.h"

namespace memory3 {

std::shared_ptr<RecordBuffers> RecordBuffers::Create(int64_t record_bytes, int limit, int fixed) {
  M3_CHECK(record_bytes > 0 && record_bytes % kRecordAlignment == 0);
  M3_CHECK(limit > 0 && fixed >= 0);
  const int64_t most_fixed = std::min<int64_t>(limit, kMaxFixedBufferBytes / record_bytes);
  return std::shared_ptr<RecordBuffers>(new RecordBuffers(
      record_bytes, limit, static_cast<int>(std::min<int64_t>(fixed, most_fixed))));
}

RecordBuffers::RecordBuffers(int64_t record_bytes, int limit, int fixed)
    : record_bytes_(record_bytes), limit_(limit), fixed_(record_bytes * fixed, kRecordAlignment) {
  MutexLock lock(mutex_);
  free_fixed_.reserve(fixed);
  free_plain_.reserve(limit - fixed);
  for (int i = fixed - 1; i >= 0; --i) free_fixed_.push_back(fixed_.data() + i * record_bytes);
}

RecordBuffers::~RecordBuffers() {
  MutexLock lock(mutex_);
  for (uint8_t* buffer : free_plain_) std::free(buffer);
}

std::shared_ptr<uint8_t> RecordBuffers::Take() {
  uint8_t* buffer = nullptr;
  {
    MutexLock lock(mutex_);
    if (in_use_ == limit_) return nullptr;
    ++in_use_;
    std::vector<uint8_t*>& free = free_fixed_.empty() ? free_plain_ : free_fixed_;
    if (!free.empty()) {
      buffer = free.back();
      free.pop_back();
    }
  }
  if (buffer == nullptr) {
    buffer = static_cast<uint8_t*>(std::aligned_alloc(kRecordAlignment, record_bytes_));
    M3_CHECK(buffer != nullptr);
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
  return fixed_.size() > 0 && buffer >= fixed_.data() && buffer < fixed_.data() + fixed_.size();
}

}  // namespace memory3
