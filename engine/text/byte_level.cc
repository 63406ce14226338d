#include "engine/text/byte_level.h"

#include <array>
#include <cstdint>

#include "engine/text/utf8.h"

namespace memory3 {
namespace {

constexpr int kBytes = 256;

constexpr bool StandsForItself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) ||
         (byte >= 0xAE && byte <= 0xFF);
}

// The other bytes follow in order from U+0100 on.
constexpr std::array<char32_t, kBytes> MakeAlphabet() {
  std::array<char32_t, kBytes> alphabet{};
  char32_t next = 0x100;
  for (int byte = 0; byte < kBytes; ++byte) {
    alphabet[byte] = StandsForItself(byte) ? static_cast<char32_t>(byte) : next++;
  }
  return alphabet;
}

constexpr std::array<char32_t, kBytes> kAlphabet = MakeAlphabet();
constexpr int kLargestCharacter = 0x100 + 67;  // 68 bytes do not stand for themselves

constexpr std::array<int16_t, kLargestCharacter + 1> MakeInverse() {
  std::array<int16_t, kLargestCharacter + 1> inverse{};
  for (int16_t& byte : inverse) byte = -1;
  for (int byte = 0; byte < kBytes; ++byte) inverse[kAlphabet[byte]] = static_cast<int16_t>(byte);
  return inverse;
}

constexpr std::array<int16_t, kLargestCharacter + 1> kInverse = MakeInverse();

}  // namespace

std::string ToByteAlphabet(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (char byte : bytes) AppendCharacter(kAlphabet[static_cast<uint8_t>(byte)], &text);
  return text;
}

std::string FromByteAlphabet(std::string_view token) {
  std::string bytes;
  bool foreign = false;
  ForEachCharacter(token, [&](char32_t c, std::string_view) {
    if (c > kLargestCharacter || kInverse[c] < 0) {
      foreign = true;
    } else {
      bytes.push_back(static_cast<char>(kInverse[c]));
    }
  });
  return foreign ? std::string(token) : bytes;
}

}  // namespace memory3
