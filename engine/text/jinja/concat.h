// Strings from pieces. Debian's Abseil has a string_view of its own that does not convert from
// std::string_view, so absl::StrCat does not take one.
#ifndef MEMORY3_ENGINE_TEXT_JINJA_CONCAT_H_
#define MEMORY3_ENGINE_TEXT_JINJA_CONCAT_H_

#include <concepts>
#include <string>
#include <string_view>

#include "absl/strings/string_view.h"

namespace memory3::jinja {

inline void AppendPiece(std::string& out, std::string_view piece) { out.append(piece); }
template <std::integral T>
void AppendPiece(std::string& out, T number) {
  out.append(std::to_string(number));
}

// Concat("line ", 3, ": ", message)
template <typename... Pieces>
std::string Concat(const Pieces&... pieces) {
  std::string out;
  (AppendPiece(out, pieces), ...);
  return out;
}

inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view ToStd(absl::string_view text) { return {text.data(), text.size()}; }

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_CONCAT_H_
