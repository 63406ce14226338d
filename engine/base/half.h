// IEEE half precision (F16), exact both ways where the value allows.
#ifndef MEMORY3_ENGINE_BASE_HALF_H_
#define MEMORY3_ENGINE_BASE_HALF_H_

#include <bit>
#include <cstdint>

namespace memory3 {

// Exact for every value: subnormals, infinities and NaN payloads included. Computes both kinds and
// picks by mask: with a branch, or a choice the compiler can make one of, loops do not vectorise.
inline float FromHalf(uint16_t half) {
  const uint32_t magnitude = half & 0x7FFF;
  const uint32_t infinite = 0u - static_cast<uint32_t>(magnitude >= 0x7C00);  // or NaN
  const uint32_t small = 0u - static_cast<uint32_t>(magnitude < 0x0400);      // zero, subnormal
  // Moves the exponent's bias; the largest exponent, 31, becomes 255.
  const uint32_t normal =
      (magnitude << 13) + (uint32_t{127 - 15} << 23) + (infinite & (uint32_t{255 - 143} << 23));
  const auto subnormal =
      std::bit_cast<uint32_t>(static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-24f);
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  return std::bit_cast<float>(sign | (small & subnormal) | (~small & normal));
}

// Round to nearest, ties to even; too large becomes infinity, NaN stays NaN.
inline uint16_t ToHalf(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  const uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) return static_cast<uint16_t>(sign | 0x7E00);
  if (magnitude >= 0x477FF000)
    return static_cast<uint16_t>(sign | 0x7C00);  // rounds above the largest half
  if (magnitude < 0x38800000) {  // subnormal half: let the float adder round at the right bit
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3F000000));
  }
  const uint32_t rebased = magnitude - (uint32_t{127 - 15} << 23);
  return static_cast<uint16_t>(sign | ((rebased + 0xFFF + ((rebased >> 13) & 1)) >> 13));
}

}  // namespace memory3

#endif  // MEMORY3_ENGINE_BASE_HALF_H_
