// What a model costs to run, from its configuration: the other half of a share of the machine.
#ifndef MEMORY3_TOOLS_MODEL_COST_H_
#define MEMORY3_TOOLS_MODEL_COST_H_

#include <cstdint>

#include "engine/model/model_config.h"

namespace memory3 {

// Weights of all matrices in the decoder blocks. The output matrix is not among them: a prompt
// needs its logits at one position only.
int64_t BlockWeights(const ModelConfig& config);

// Multiplications and additions that one prompt token needs when `context` tokens are before it on
// average: block matrices, attention scores and values.
double FlopsPerPromptToken(const ModelConfig& config, double context);

// Bytes of keys and values of one token.
int64_t KvBytesPerToken(const ModelConfig& config, int bytes_per_value);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_MODEL_COST_H_
