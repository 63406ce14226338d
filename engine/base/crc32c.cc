#include "engine/base/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace memory3 {
namespace {

constexpr uint32_t kPolynomial = 0x82F63B78;  // lowest bit first

using Table = std::array<uint32_t, 256>;

// tables[k][b]: the remainder of byte b followed by k zero bytes.
constexpr std::array<Table, 8> RemainderTables() {
  std::array<Table, 8> tables = {};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (size_t k = 1; k < tables.size(); ++k) {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const uint32_t crc = tables[k - 1][byte];
      tables[k][byte] = (crc >> 8) ^ tables[0][crc & 255];
    }
  }
  return tables;
}
constexpr std::array<Table, 8> kRemainders = RemainderTables();

uint32_t AddByte(uint32_t crc, uint8_t byte) {
  return (crc >> 8) ^ kRemainders[0][(crc ^ byte) & 255];
}

#if defined(__x86_64__)

// A linear map of the 32 bits of a remainder: the images of the single bits.
using Map = std::array<uint32_t, 32>;

constexpr uint32_t Apply(const Map& map, uint32_t value) {
  uint32_t image = 0;
  for (int bit = 0; bit < 32; ++bit) {
    if (value >> bit & 1) image ^= map[bit];
  }
  return image;
}

// The instruction takes three cycles and can start every cycle, so three lanes run side by side.
constexpr size_t kLaneBytes = 4096;
constexpr int kLaneBitsLog2 = 15;
static_assert(size_t{8} * kLaneBytes == size_t{1} << kLaneBitsLog2);

// What a lane's worth of zero bytes makes of a remainder, by its four bytes.
constexpr std::array<Table, 4> LaneTables() {
  Map map = {kPolynomial};  // one zero bit
  for (int bit = 1; bit < 32; ++bit) map[bit] = uint32_t{1} << (bit - 1);
  for (int doubling = 0; doubling < kLaneBitsLog2; ++doubling) {
    Map squared = {};
    for (int bit = 0; bit < 32; ++bit) squared[bit] = Apply(map, map[bit]);
    map = squared;
  }
  std::array<Table, 4> tables = {};
  for (int k = 0; k < 4; ++k) {
    for (uint32_t byte = 0; byte < 256; ++byte) tables[k][byte] = Apply(map, byte << (8 * k));
  }
  return tables;
}
constexpr std::array<Table, 4> kLane = LaneTables();

uint32_t SkipLane(uint32_t crc) {
  return kLane[0][crc & 255] ^ kLane[1][crc >> 8 & 255] ^ kLane[2][crc >> 16 & 255] ^
         kLane[3][crc >> 24];
}

uint64_t Load64(const uint8_t* data) {
  uint64_t value;
  std::memcpy(&value, data, sizeof(value));
  return value;
}

__attribute__((target("sse4.2"))) uint32_t WithInstruction(absl::Span<const uint8_t> bytes,
                                                           uint32_t start) {
  const uint8_t* data = bytes.data();
  size_t left = bytes.size();
  uint64_t crc = ~start;
  for (; left >= 3 * kLaneBytes; left -= 3 * kLaneBytes, data += 3 * kLaneBytes) {
    uint64_t second = 0, third = 0;
    for (size_t i = 0; i < kLaneBytes; i += 8) {
      crc = _mm_crc32_u64(crc, Load64(data + i));
      second = _mm_crc32_u64(second, Load64(data + kLaneBytes + i));
      third = _mm_crc32_u64(third, Load64(data + 2 * kLaneBytes + i));
    }
    crc = SkipLane(static_cast<uint32_t>(crc)) ^ second;
    crc = SkipLane(static_cast<uint32_t>(crc)) ^ third;
  }
  for (; left >= 8; left -= 8, data += 8) crc = _mm_crc32_u64(crc, Load64(data));
  auto rest = static_cast<uint32_t>(crc);
  for (; left > 0; --left) rest = _mm_crc32_u8(rest, *data++);
  return ~rest;
}

#endif

}  // namespace

uint32_t Crc32cPortable(absl::Span<const uint8_t> bytes, uint32_t start) {
  uint32_t crc = ~start;
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    uint32_t next = 0;
    for (int k = 0; k < 8; ++k) {
      const uint8_t old = k < 4 ? static_cast<uint8_t>(crc >> (8 * k)) : uint8_t{0};
      next ^= kRemainders[7 - k][bytes[i + k] ^ old];
    }
    crc = next;
  }
  for (; i < bytes.size(); ++i) crc = AddByte(crc, bytes[i]);
  return ~crc;
}

uint32_t Crc32c(absl::Span<const uint8_t> bytes, uint32_t crc) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  if (has_instruction) return WithInstruction(bytes, crc);
#endif
  return Crc32cPortable(bytes, crc);
}

}  // namespace memory3
