// The reference prefix as tokens (paper, 3.1): what stands before every reference when it is
// encoded, and before the context when memories may be read.
#ifndef MEMORY3_ENGINE_MEMORY_REFERENCE_PREFIX_H_
#define MEMORY3_ENGINE_MEMORY_REFERENCE_PREFIX_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/model/memory_config.h"
#include "engine/model/model_config.h"
#include "engine/text/tokenizer.h"

namespace memory3 {

// "<s>" at the beginning stands for the model's BOS token, however the model spells it; the rest is
// tokenized as text. InvalidArgument when that is no token at all.
absl::StatusOr<std::vector<int32_t>> ReferencePrefixIds(const MemoryConfig& memory,
                                                        const ModelConfig& model,
                                                        const Tokenizer& tokenizer);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_REFERENCE_PREFIX_H_
