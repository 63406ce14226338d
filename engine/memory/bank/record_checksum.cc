#include "engine/memory/bank/record_checksum.h"

#include <array>

#include "engine/base/crc32c.h"

namespace memory3 {

uint32_t RecordChecksum(MemoryId id, int tokens, absl::Span<const uint8_t> record) {
  std::array<uint8_t, 12> head;
  for (int i = 0; i < 8; ++i) head[i] = static_cast<uint8_t>(id >> (8 * i));
  for (int i = 0; i < 4; ++i) {
    head[8 + i] = static_cast<uint8_t>(static_cast<uint32_t>(tokens) >> (8 * i));
  }
  return Crc32c(record, Crc32c(head));
}

}  // namespace memory3
