// Small checkpoints with random weights, in memory: what a model folder would hold.
#ifndef MEMORY3_TESTS_UNIT_RUNNER_RANDOM_MODEL_H_
#define MEMORY3_TESTS_UNIT_RUNNER_RANDOM_MODEL_H_

#include <cstdint>
#include <filesystem>
#include <string>

#include "engine/model/model_config.h"
#include "engine/model/weights.h"

namespace memory3 {

struct RandomModel {
  ModelConfig config;
  ModelWeights weights;
};

// Writes a bf16 checkpoint of the shape of `config` to a temporary file and opens it. Aborts on
// error.
RandomModel MakeRandomModel(const ModelConfig& config, uint32_t seed);

}  // namespace memory3

#endif  // MEMORY3_TESTS_UNIT_RUNNER_RANDOM_MODEL_H_
