// Code points of UTF-8 strings, as Python's str sees them: templates count, slice and strip by code
// point. A byte that is not valid UTF-8 counts as one character of its own.
#ifndef MEMORY3_ENGINE_TEXT_JINJA_UNICODE_H_
#define MEMORY3_ENGINE_TEXT_JINJA_UNICODE_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/jinja/text.h"

namespace memory3::jinja {

struct CodePoint {
  char32_t value;  // kInvalidByte for a byte that is not valid UTF-8
  size_t length;   // bytes it takes, at least 1
};
inline constexpr char32_t kInvalidByte = 0xFFFFFFFF;

// Precondition: offset < text.size().
CodePoint DecodeAt(std::string_view text, size_t offset);
void AppendUtf8(char32_t code_point, std::string& out);

size_t CountCodePoints(std::string_view text);
// Byte offsets of every code point, and text.size() at the end.
std::vector<size_t> CodePointOffsets(std::string_view text);

// str.isspace, str.isprintable for one character.
bool IsSpace(char32_t code_point);
bool IsPrintable(char32_t code_point);

// Half-open byte range left when characters of `chars` (white space when null) are stripped.
struct ByteRange {
  size_t begin;
  size_t end;
};
ByteRange StripRange(std::string_view text, const std::string_view* chars, bool left, bool right);

// Case mappings, one character to one character (Python also maps a few letters to several, such
// as the German sharp s to SS; those stay as they are here).
enum class Case { kUpper, kLower, kTitle, kCapitalized };
Text MapCase(const Text& text, Case mode);
// True when there is a cased letter and every cased letter is of this case.
bool IsAllUpper(std::string_view text);
bool IsAllLower(std::string_view text);

// Byte ranges of the lines, by every line break that str.splitlines knows, breaks left out.
std::vector<ByteRange> SplitLines(std::string_view text);

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_UNICODE_H_
