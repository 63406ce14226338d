#include "common/port_file.h"

#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace memory3 {

absl::Status WritePortFile(const std::filesystem::path& file, int port) {
  const std::filesystem::path partial = absl::StrCat(file.string(), ".partial");
  std::ofstream(partial) << port << "\n";
  std::error_code error;
  std::filesystem::rename(partial, file, error);
  if (!error) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--port_file: ", file.string(), ": ", error.message()));
}

}  // namespace memory3
