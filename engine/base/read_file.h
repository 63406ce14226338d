// Whole small files.
#ifndef MEMORY3_ENGINE_BASE_READ_FILE_H_
#define MEMORY3_ENGINE_BASE_READ_FILE_H_

#include <cstdint>
#include <filesystem>
#include <string>

#include "absl/status/statusor.h"

namespace memory3 {

// The bytes of a regular file. Errors name it: NotFound when there is none, InvalidArgument above
// max_bytes or for what is no file, FailedPrecondition when it cannot be read to its end.
absl::StatusOr<std::string> ReadFile(const std::filesystem::path& file, int64_t max_bytes);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_BASE_READ_FILE_H_
