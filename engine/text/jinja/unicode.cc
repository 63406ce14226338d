#include "engine/text/jinja/unicode.h"

#include <utf8proc.h>

#include <cstdint>

namespace memory3::jinja {
namespace {

utf8proc_category_t Category(char32_t code_point) {
  if (code_point > 0x10FFFF) return UTF8PROC_CATEGORY_CN;
  return utf8proc_category(static_cast<utf8proc_int32_t>(code_point));
}

bool IsCased(utf8proc_category_t category) {
  return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
         category == UTF8PROC_CATEGORY_LT;
}

bool Contains(std::string_view chars, std::string_view character) {
  for (size_t i = 0; i < chars.size();) {
    const size_t length = DecodeAt(chars, i).length;
    if (chars.substr(i, length) == character) return true;
    i += length;
  }
  return false;
}

bool IsLineBreak(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

bool IsAllOfCase(std::string_view text, utf8proc_category_t wanted) {
  bool found = false;
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = DecodeAt(text, i);
    const utf8proc_category_t category = Category(c.value);
    if (IsCased(category)) {
      if (category != wanted) return false;
      found = true;
    }
    i += c.length;
  }
  return found;
}

}  // namespace

CodePoint DecodeAt(std::string_view text, size_t offset) {
  utf8proc_int32_t value = -1;
  const utf8proc_ssize_t length =
      utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + offset,
                       static_cast<utf8proc_ssize_t>(text.size() - offset), &value);
  if (length <= 0) return {kInvalidByte, 1};
  return {static_cast<char32_t>(value), static_cast<size_t>(length)};
}

void AppendUtf8(char32_t code_point, std::string& out) {
  utf8proc_uint8_t buffer[4];
  const utf8proc_ssize_t length =
      utf8proc_encode_char(static_cast<utf8proc_int32_t>(code_point), buffer);
  out.append(reinterpret_cast<const char*>(buffer), static_cast<size_t>(length));
}

size_t CountCodePoints(std::string_view text) {
  size_t count = 0;
  for (size_t i = 0; i < text.size(); i += DecodeAt(text, i).length) ++count;
  return count;
}

std::vector<size_t> CodePointOffsets(std::string_view text) {
  std::vector<size_t> offsets;
  for (size_t i = 0; i < text.size(); i += DecodeAt(text, i).length) offsets.push_back(i);
  offsets.push_back(text.size());
  return offsets;
}

bool IsSpace(char32_t c) {
  if (c < 0x80) return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool IsPrintable(char32_t c) {
  switch (Category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    case UTF8PROC_CATEGORY_ZS:
      return c == ' ';
    default:
      return true;
  }
}

ByteRange StripRange(std::string_view text, const std::string_view* chars, bool left, bool right) {
  const auto strips = [&](size_t offset, const CodePoint& c) {
    return chars == nullptr ? IsSpace(c.value) : Contains(*chars, text.substr(offset, c.length));
  };
  ByteRange range{0, text.size()};
  while (left && range.begin < range.end) {
    const CodePoint c = DecodeAt(text, range.begin);
    if (!strips(range.begin, c)) break;
    range.begin += c.length;
  }
  while (right && range.end > range.begin) {
    size_t start = range.end - 1;
    while (start > range.begin && range.end - start < 4 &&
           (static_cast<uint8_t>(text[start]) & 0xC0) == 0x80) {
      --start;
    }
    // Bytes that do not form one whole character are characters of their own.
    if (start + DecodeAt(text, start).length != range.end) start = range.end - 1;
    if (!strips(start, DecodeAt(text.substr(0, range.end), start))) break;
    range.end = start;
  }
  return range;
}

Text MapCase(const Text& text, Case mode) {
  const std::string& bytes = text.bytes();
  Text out;
  std::string mapped;
  bool follows_letter = false;
  for (size_t i = 0; i < bytes.size();) {
    const CodePoint c = DecodeAt(bytes, i);
    const auto value = static_cast<utf8proc_int32_t>(c.value);
    if (c.value == kInvalidByte) {
      out.AppendRange(text, i, i + c.length);
    } else {
      utf8proc_int32_t result;
      if (mode == Case::kUpper) {
        result = utf8proc_toupper(value);
      } else if (mode == Case::kLower || follows_letter) {
        result = utf8proc_tolower(value);
      } else {
        result = utf8proc_totitle(value);
      }
      mapped.clear();
      AppendUtf8(static_cast<char32_t>(result), mapped);
      out.Append(mapped, text.OriginAt(i));
    }
    follows_letter = mode == Case::kCapitalized || IsCased(Category(c.value));
    i += c.length;
  }
  return out;
}

bool IsAllUpper(std::string_view text) { return IsAllOfCase(text, UTF8PROC_CATEGORY_LU); }
bool IsAllLower(std::string_view text) { return IsAllOfCase(text, UTF8PROC_CATEGORY_LL); }

std::vector<ByteRange> SplitLines(std::string_view text) {
  std::vector<ByteRange> lines;
  size_t begin = 0;
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = DecodeAt(text, i);
    size_t next = i + c.length;
    if (IsLineBreak(c.value)) {
      lines.push_back({begin, i});
      if (c.value == '\r' && next < text.size() && text[next] == '\n') ++next;
      begin = next;
    }
    i = next;
  }
  if (begin < text.size()) lines.push_back({begin, text.size()});
  return lines;
}

}  // namespace memory3::jinja
