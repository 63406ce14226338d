// The `post_processor` of tokenizer.json: the special tokens around a single text.
#ifndef MEMORY3_ENGINE_TEXT_POST_PROCESSOR_H_
#define MEMORY3_ENGINE_TEXT_POST_PROCESSOR_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json_fwd.hpp"

namespace memory3 {

struct PostProcessor {
  std::vector<int32_t> prefix;
  std::vector<int32_t> suffix;
};

// null adds nothing. Supported: Sequence, TemplateProcessing, ByteLevel, BertProcessing,
// RobertaProcessing; another type is refused by name.
absl::StatusOr<PostProcessor> MakePostProcessor(const nlohmann::json& json);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_TEXT_POST_PROCESSOR_H_
