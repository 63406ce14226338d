#include "engine/memory/reference_prefix.h"

#include <string_view>

#include "absl/status/status.h"

namespace memory3 {

absl::StatusOr<std::vector<int32_t>> ReferencePrefixIds(const MemoryConfig& memory,
                                                        const ModelConfig& model,
                                                        const Tokenizer& tokenizer) {
  constexpr std::string_view kBos = "<s>";
  std::string_view text = memory.reference_prefix;
  std::vector<int32_t> ids;
  if (text.starts_with(kBos)) {
    ids.push_back(model.bos_token);
    text.remove_prefix(kBos.size());
  }
  const std::vector<int32_t> rest =
      tokenizer.Encode(text, {.add_special_tokens = false, .parse_special_tokens = false});
  ids.insert(ids.end(), rest.begin(), rest.end());
  if (ids.empty()) {
    return absl::InvalidArgumentError("memory3: reference_prefix: has no token");
  }
  return ids;
}

}  // namespace memory3
