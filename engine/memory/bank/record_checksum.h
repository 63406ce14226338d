// The checksum that every load is compared with.
#ifndef MEMORY3_ENGINE_MEMORY_BANK_RECORD_CHECKSUM_H_
#define MEMORY3_ENGINE_MEMORY_BANK_RECORD_CHECKSUM_H_

#include <cstdint>

#include "absl/types/span.h"
#include "engine/memory/memory_id.h"

namespace memory3 {

// CRC32C over id, tokens (little-endian, 8 and 4 bytes) and the padded record: a record read from
// the wrong place fails like a damaged one.
uint32_t RecordChecksum(MemoryId id, int tokens, absl::Span<const uint8_t> record);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_BANK_RECORD_CHECKSUM_H_
