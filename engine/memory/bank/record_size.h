// How many bytes a stored memory takes.
#ifndef MEMORY3_ENGINE_MEMORY_BANK_RECORD_SIZE_H_
#define MEMORY3_ENGINE_MEMORY_BANK_RECORD_SIZE_H_

#include <cstdint>

#include "engine/model/memory_config.h"

namespace memory3 {

// A stored memory is padded with zeros to whole blocks of this size, so that a record is one direct
// read; buffers are aligned to it.
inline constexpr int64_t kRecordAlignment = 4096;
inline int64_t RecordBytes(const MemoryShape& shape) {
  return (shape.bytes() + kRecordAlignment - 1) / kRecordAlignment * kRecordAlignment;
}

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_BANK_RECORD_SIZE_H_
