// The file through which a program that took a free port tells which.
#ifndef MEMORY3_COMMON_PORT_FILE_H_
#define MEMORY3_COMMON_PORT_FILE_H_

#include <filesystem>

#include "absl/status/status.h"

namespace memory3 {

// Renamed into place, so that whoever waits for the file finds the whole number in it.
// InvalidArgument that begins with "--port_file".
absl::Status WritePortFile(const std::filesystem::path& file, int port);

}  // namespace memory3

#endif  // MEMORY3_COMMON_PORT_FILE_H_
