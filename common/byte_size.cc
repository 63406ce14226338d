#include "common/byte_size.h"

#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace memory3 {
namespace {

constexpr std::pair<absl::string_view, int64_t> kUnits[] = {
    {"TiB", int64_t{1} << 40},
    {"GiB", int64_t{1} << 30},
    {"MiB", int64_t{1} << 20},
    {"KiB", int64_t{1} << 10},
    {"TB", 1'000'000'000'000},
    {"GB", 1'000'000'000},
    {"MB", 1'000'000},
    {"KB", 1'000},
    {"B", 1},
    {"", 1},
};

}  // namespace

bool AbslParseFlag(absl::string_view text, ByteSize* size, std::string* error) {
  size_t digits = 0;
  while (digits < text.size() && absl::ascii_isdigit(text[digits])) ++digits;
  const absl::string_view suffix = absl::StripAsciiWhitespace(text.substr(digits));
  int64_t number = 0;
  if (absl::SimpleAtoi(text.substr(0, digits), &number)) {
    for (const auto& [unit, factor] : kUnits) {
      if (suffix != unit) continue;
      if (number > std::numeric_limits<int64_t>::max() / factor) break;
      size->bytes = number * factor;
      return true;
    }
  }
  *error =
      absl::StrCat("'", text, "' is not a size: write a whole number and KiB, MiB, GiB or TiB");
  return false;
}

std::string AbslUnparseFlag(ByteSize size) {
  for (const auto& [unit, factor] : kUnits) {
    const bool binary = unit.size() == 3;
    if (binary && size.bytes > 0 && size.bytes % factor == 0) {
      return absl::StrCat(size.bytes / factor, unit);
    }
  }
  return absl::StrCat(size.bytes);
}

}  // namespace memory3
