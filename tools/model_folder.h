// A model folder in the making: a file is there whole or not at all.
#ifndef MEMORY3_TOOLS_MODEL_FOLDER_H_
#define MEMORY3_TOOLS_MODEL_FOLDER_H_

#include <filesystem>
#include <string>

#include "absl/status/status.h"

namespace memory3 {

// Makes the folder. One that holds something is AlreadyExists, unless `overwrite`: then the model
// in it is removed, config.json first. Other files stay.
absl::Status PrepareModelFolder(const std::filesystem::path& folder, bool overwrite);

// Writes `text` beside `file` and renames; after an error nothing is left.
absl::Status WriteModelText(const std::filesystem::path& file, const std::string& text);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_MODEL_FOLDER_H_
