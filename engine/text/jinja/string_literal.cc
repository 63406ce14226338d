#include "engine/text/jinja/string_literal.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "engine/text/jinja/concat.h"
#include "engine/text/jinja/unicode.h"

namespace memory3::jinja {
namespace {

std::optional<char> SimpleEscape(char c) {
  constexpr std::string_view kLetters = "\\'\"abfnrtv";
  constexpr std::string_view kValues = "\\'\"\a\b\f\n\r\t\v";
  const size_t index = kLetters.find(c);
  if (index == std::string_view::npos) return std::nullopt;
  return kValues[index];
}

int HexDigits(char c) { return c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0; }

absl::Status AppendCodePoint(uint32_t value, std::string& out) {
  if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
    return absl::InvalidArgumentError("a string escape is not a Unicode character");
  }
  AppendUtf8(value, out);
  return absl::OkStatus();
}

// Handles the escape whose letter stands at `i`; moves `i` past it.
absl::Status AppendEscape(std::string_view body, size_t& i, std::string& out) {
  const char c = body[i];
  if (const std::optional<char> simple = SimpleEscape(c)) {
    out.push_back(*simple);
    ++i;
    return absl::OkStatus();
  }
  if (c == '\n') {
    ++i;
    return absl::OkStatus();
  }
  if (c >= '0' && c <= '7') {
    uint32_t value = 0;
    const size_t end = std::min(body.size(), i + 3);
    for (; i < end && body[i] >= '0' && body[i] <= '7'; ++i) {
      value = value * 8 + static_cast<uint32_t>(body[i] - '0');
    }
    return AppendCodePoint(value, out);
  }
  if (const int digits = HexDigits(c)) {
    const std::string_view hex = body.substr(i + 1, digits);
    uint32_t value = 0;
    if (static_cast<int>(hex.size()) != digits ||
        !std::all_of(hex.begin(), hex.end(), [](char h) { return absl::ascii_isxdigit(h); }) ||
        !absl::SimpleHexAtoi(ToAbsl(hex), &value)) {
      return absl::InvalidArgumentError(Concat("the string escape \\", body.substr(i, 1), " needs ",
                                               digits, " hexadecimal digits"));
    }
    i += 1 + digits;
    return AppendCodePoint(value, out);
  }
  if (c == 'N') return absl::InvalidArgumentError("the string escape \\N{...} is not supported");
  out.push_back('\\');
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> UnescapeStringLiteral(std::string_view body) {
  std::string out;
  for (size_t i = 0; i < body.size();) {
    if (body[i] != '\\' || i + 1 == body.size()) {
      out.push_back(body[i++]);
      continue;
    }
    ++i;
    const absl::Status status = AppendEscape(body, i, out);
    if (!status.ok()) return status;
  }
  return out;
}

}  // namespace memory3::jinja
