// Hugging Face model folders with small seeded random weights, for tests that need a real runner.
#ifndef MEMORY3_TESTS_INTEGRATION_RANDOM_MODEL_H_
#define MEMORY3_TESTS_INTEGRATION_RANDOM_MODEL_H_

#include <cstdint>
#include <filesystem>

#include "absl/status/status.h"

namespace memory3 {

struct RandomModelShape {
  int hidden = 64;
  int layers = 2;
  int heads = 4;
  int kv_heads = 2;
  int head_dim = 16;
  int mlp = 96;
  int vocab = 260;
  int max_context = 128;
};

// Writes config.json and model.safetensors (F32, tied embeddings) into `folder`, which exists.
absl::Status WriteRandomModel(const RandomModelShape& shape, uint32_t seed,
                              const std::filesystem::path& folder);

}  // namespace memory3

#endif  // MEMORY3_TESTS_INTEGRATION_RANDOM_MODEL_H_
