// Checks of flag values that every server makes. InvalidArgument: "--flag: problem".
#ifndef MEMORY3_COMMON_FLAG_CHECKS_H_
#define MEMORY3_COMMON_FLAG_CHECKS_H_

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace memory3 {

inline absl::Status FlagError(absl::string_view flag, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat("--", flag, ": ", problem));
}

template <typename T>
absl::Status CheckRange(absl::string_view flag, T value, T min, T max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return FlagError(flag, absl::StrCat("must be in [", min, ", ", max, "], got ", value));
}

inline absl::Status CheckDuration(absl::string_view flag, absl::Duration value) {
  if (value > absl::ZeroDuration() && value < absl::Hours(24 * 365)) return absl::OkStatus();
  return FlagError(
      flag, absl::StrCat("must be above 0 and below a year, got ", absl::FormatDuration(value)));
}

}  // namespace memory3

#endif  // MEMORY3_COMMON_FLAG_CHECKS_H_
