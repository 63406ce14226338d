// bfloat16: the upper half of a float.
#ifndef MEMORY3_ENGINE_BASE_BFLOAT16_H_
#define MEMORY3_ENGINE_BASE_BFLOAT16_H_

#include <bit>
#include <cstdint>

namespace memory3 {

// Round to nearest, ties to even; NaN stays NaN.
inline uint16_t ToBfloat16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  if (x != x) return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

inline float FromBfloat16(uint16_t x) {
  return std::bit_cast<float>(static_cast<uint32_t>(x) << 16);
}

}  // namespace memory3

#endif  // MEMORY3_ENGINE_BASE_BFLOAT16_H_
