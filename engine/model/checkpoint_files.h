// Which .safetensors files of a model folder make up its checkpoint.
#ifndef MEMORY3_ENGINE_MODEL_CHECKPOINT_FILES_H_
#define MEMORY3_ENGINE_MODEL_CHECKPOINT_FILES_H_

#include <filesystem>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/model/safetensors.h"

namespace memory3 {

// model.safetensors.index.json decides; without it, model.safetensors; without that, every
// .safetensors file of the folder. No tensor is in two of the files returned, and every tensor of
// an index is in the file the index says. Errors name the file and the tensor.
absl::StatusOr<std::vector<SafetensorsFile>> OpenCheckpointFiles(
    const std::filesystem::path& model_dir);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MODEL_CHECKPOINT_FILES_H_
