#include "tools/reference_memories.h"

#include <algorithm>
#include <memory>

#include "engine/base/check.h"
#include "engine/base/status_macros.h"

namespace memory3 {

std::vector<int32_t> ReferenceIds(std::string_view text, const Tokenizer& tokenizer,
                                  const Runner& runner) {
  std::vector<int32_t> ids =
      tokenizer.Encode(text, {.add_special_tokens = false, .parse_special_tokens = false});
  ids.resize(std::min(ids.size(), static_cast<size_t>(runner.info().memory.reference_tokens)));
  return ids;
}

absl::Status FillWithTexts(absl::Span<const std::string> texts, absl::Span<const MemorySlot> slots,
                           const Tokenizer& tokenizer, Runner& runner) {
  M3_CHECK(texts.size() == slots.size());
  const size_t most = runner.info().memory.max_references_per_encode;
  for (size_t begin = 0; begin < texts.size(); begin += most) {
    std::vector<std::vector<int32_t>> ids;
    for (const std::string& text : texts.subspan(begin, most)) {
      ids.push_back(ReferenceIds(text, tokenizer, runner));
    }
    const std::vector<absl::Span<const int32_t>> views(ids.begin(), ids.end());
    std::vector<std::shared_ptr<const MemoryTensor>> memories;
    M3_RETURN_IF_ERROR(runner.EncodeReferences(views, &memories));
    for (size_t i = 0; i < memories.size(); ++i) {
      M3_RETURN_IF_ERROR(runner.FillSlot(slots[begin + i], memories[i]));
    }
  }
  return absl::OkStatus();
}

}  // namespace memory3
