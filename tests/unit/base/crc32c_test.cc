#include "engine/base/crc32c.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <string_view>
#include <vector>

namespace memory3 {
namespace {

using Bytes = std::vector<uint8_t>;

// The definition, bit by bit.
uint32_t Definition(const Bytes& bytes) {
  uint32_t crc = ~uint32_t{0};
  for (const uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? (crc >> 1) ^ 0x82F63B78 : crc >> 1;
  }
  return ~crc;
}

// Published values: the check value of the polynomial's catalogue entry, and RFC 3720, B.4.
TEST(Crc32cTest, MatchesPublishedValues) {
  constexpr std::string_view kDigits = "123456789";
  Bytes rising(32);
  std::iota(rising.begin(), rising.end(), uint8_t{0});
  for (const auto crc : {&Crc32c, &Crc32cPortable}) {
    EXPECT_EQ(crc(Bytes(kDigits.begin(), kDigits.end()), 0), 0xE3069283);
    EXPECT_EQ(crc(Bytes(32, 0), 0), 0x8A9136AA);
    EXPECT_EQ(crc(Bytes(32, 0xFF), 0), 0x62A8AB43);
    EXPECT_EQ(crc(rising, 0), 0x46DD794E);
    EXPECT_EQ(crc({}, 0), 0);
  }
}

TEST(Crc32cTest, MatchesTheDefinitionAtEveryLengthAndBorder) {
  std::mt19937 random(1);
  // Around the sizes where the implementation changes its ways.
  std::vector<size_t> lengths = {12287, 12288, 12289, 3 * 12288 + 4097, 50000};
  for (size_t length = 0; length < 70; ++length) lengths.push_back(length);
  for (const size_t length : lengths) {
    Bytes bytes(length + 8);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    const size_t start = random() % 8;
    const absl::Span<const uint8_t> span(bytes.data() + start, length);
    const uint32_t expected = Definition(Bytes(span.begin(), span.end()));
    EXPECT_EQ(Crc32c(span), expected) << length;
    EXPECT_EQ(Crc32cPortable(span), expected) << length;
    const size_t cut = length == 0 ? 0 : random() % length;
    EXPECT_EQ(Crc32c(span.subspan(cut), Crc32c(span.first(cut))), expected) << length;
  }
}

}  // namespace
}  // namespace memory3
