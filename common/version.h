// The version of this build, from CMakeLists.txt.
#ifndef MEMORY3_COMMON_VERSION_H_
#define MEMORY3_COMMON_VERSION_H_

#include <string_view>

namespace memory3 {

inline constexpr std::string_view kVersion = M3_VERSION;

}  // namespace memory3

#endif  // MEMORY3_COMMON_VERSION_H_
