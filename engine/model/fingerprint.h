// Names a model as far as its memories depend on it.
#ifndef MEMORY3_ENGINE_MODEL_FINGERPRINT_H_
#define MEMORY3_ENGINE_MODEL_FINGERPRINT_H_

#include <cstdint>
#include <string>

#include "absl/types/span.h"
#include "engine/model/memory_config.h"
#include "engine/model/model_config.h"
#include "engine/model/weights.h"

namespace memory3 {

// 32 hexadecimal digits: XXH3-128 of the shape, of everything that decides which keys and values a
// reference gets, and of the weights of all layers up to the last memory layer. The same for the
// same numbers, however the checkpoint is cut into files. Reads those weights once.
std::string ModelFingerprint(const ModelConfig& model, const MemoryConfig& memory,
                             absl::Span<const int32_t> prefix_ids, const ModelWeights& weights);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MODEL_FINGERPRINT_H_
