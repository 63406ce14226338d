// A number of bytes as people write it: "512MiB", "2GiB", "4096", "0". Works as an absl flag.
#ifndef MEMORY3_COMMON_BYTE_SIZE_H_
#define MEMORY3_COMMON_BYTE_SIZE_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace memory3 {

struct ByteSize {
  int64_t bytes = 0;
};

// Suffixes: none or B, KiB, MiB, GiB, TiB (powers of 1024) and KB, MB, GB, TB (powers of 1000).
// Whole non-negative numbers only.
bool AbslParseFlag(absl::string_view text, ByteSize* size, std::string* error);
std::string AbslUnparseFlag(ByteSize size);

}  // namespace memory3

#endif  // MEMORY3_COMMON_BYTE_SIZE_H_
