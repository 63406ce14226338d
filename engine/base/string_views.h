// The distribution's Abseil has a string_view type of its own, which neither converts from nor to
// the standard one.
#ifndef MEMORY3_ENGINE_BASE_STRING_VIEWS_H_
#define MEMORY3_ENGINE_BASE_STRING_VIEWS_H_

#include <string_view>

#include "absl/strings/string_view.h"

namespace memory3 {

inline absl::string_view AbslView(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view StdView(absl::string_view text) { return {text.data(), text.size()}; }

}  // namespace memory3

#endif  // MEMORY3_ENGINE_BASE_STRING_VIEWS_H_
