// CRC32C (Castagnoli): the checksum of iSCSI, ext4 and of every stored memory. Any error burst of
// up to 32 bits is found, any other damage with all but one chance in four billion.
#ifndef MEMORY3_ENGINE_BASE_CRC32C_H_
#define MEMORY3_ENGINE_BASE_CRC32C_H_

#include <cstdint>

#include "absl/types/span.h"

namespace memory3 {

// Of `bytes`, or of what `crc` is the checksum of followed by `bytes`.
uint32_t Crc32c(absl::Span<const uint8_t> bytes, uint32_t crc = 0);

// The same without the processor's own instruction, which Crc32c uses where there is one.
uint32_t Crc32cPortable(absl::Span<const uint8_t> bytes, uint32_t crc = 0);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_BASE_CRC32C_H_
