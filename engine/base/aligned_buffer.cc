#include "engine/base/aligned_buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "engine/base/check.h"

namespace memory3 {
namespace {

constexpr size_t kCacheLine = 64;
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kHugePageThreshold = size_t{4} << 20;

}  // namespace

AlignedBuffer::AlignedBuffer(size_t bytes, size_t minimum_alignment) : size_(bytes) {
  if (bytes == 0) return;
  const bool huge = bytes >= kHugePageThreshold;
  const size_t alignment = std::max(minimum_alignment, huge ? kHugePage : kCacheLine);
  const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  data_ = static_cast<uint8_t*>(std::aligned_alloc(alignment, rounded));
  M3_CHECK(data_ != nullptr);
  // Streaming through gigabytes of weights with 4 KiB pages costs a TLB miss per page. Advice only:
  // may be ignored.
  if (huge) madvise(data_, rounded, MADV_HUGEPAGE);
  std::memset(data_, 0, rounded);
}

AlignedBuffer::~AlignedBuffer() { std::free(data_); }

}  // namespace memory3
