#include "engine/text/utf8.h"

#include <algorithm>

namespace memory3 {
namespace {

// Length that a lead byte announces, or 0 for a byte that cannot lead.
int AnnouncedLength(uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

// Whether `byte` may stand at `index` (1..3) behind `lead`: the second byte rules out overlong
// forms, surrogates and values above U+10FFFF.
bool MayFollow(uint8_t lead, int index, uint8_t byte) {
  uint8_t low = 0x80, high = 0xBF;
  if (index == 1) {
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  }
  return byte >= low && byte <= high;
}

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

}  // namespace

Utf8Character NextCharacter(std::string_view bytes) {
  const auto lead = static_cast<uint8_t>(bytes[0]);
  const int announced = AnnouncedLength(lead);
  if (announced == 0) return {Utf8Character::Kind::kInvalid, 1};
  for (int i = 1; i < announced; ++i) {
    if (static_cast<size_t>(i) == bytes.size()) return {Utf8Character::Kind::kIncomplete, i};
    if (!MayFollow(lead, i, static_cast<uint8_t>(bytes[i])))
      return {Utf8Character::Kind::kInvalid, i};
  }
  return {Utf8Character::Kind::kValid, announced};
}

bool IsValidUtf8(std::string_view text) {
  while (!text.empty()) {
    const Utf8Character next = NextCharacter(text);
    if (next.kind != Utf8Character::Kind::kValid) return false;
    text.remove_prefix(next.length);
  }
  return true;
}

size_t CompleteUtf8Prefix(std::string_view bytes) {
  // An incomplete character is at most 3 bytes long: look for its lead byte from the end.
  for (size_t back = 1; back <= std::min<size_t>(3, bytes.size()); ++back) {
    const auto byte = static_cast<uint8_t>(bytes[bytes.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;  // a continuation: its lead is further left
    const bool incomplete =
        NextCharacter(bytes.substr(bytes.size() - back)).kind == Utf8Character::Kind::kIncomplete;
    return incomplete ? bytes.size() - back : bytes.size();
  }
  return bytes.size();
}

std::string ReplaceInvalidUtf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const Utf8Character next = NextCharacter(bytes);
    text += next.kind == Utf8Character::Kind::kValid ? bytes.substr(0, next.length) : kReplacement;
    bytes.remove_prefix(next.length);
  }
  return text;
}

char32_t DecodeCharacter(std::string_view bytes) {
  const auto at = [&](size_t i) { return static_cast<char32_t>(static_cast<uint8_t>(bytes[i])); };
  switch (bytes.size()) {
    case 1:
      return at(0);
    case 2:
      return (at(0) & 0x1F) << 6 | (at(1) & 0x3F);
    case 3:
      return (at(0) & 0x0F) << 12 | (at(1) & 0x3F) << 6 | (at(2) & 0x3F);
    default:
      return (at(0) & 0x07) << 18 | (at(1) & 0x3F) << 12 | (at(2) & 0x3F) << 6 | (at(3) & 0x3F);
  }
}

void AppendCharacter(char32_t c, std::string* text) {
  const auto put = [&](char32_t byte) { text->push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6), put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18), put(0x80 | (c >> 12 & 0x3F)), put(0x80 | (c >> 6 & 0x3F)),
        put(0x80 | (c & 0x3F));
  }
}

}  // namespace memory3
