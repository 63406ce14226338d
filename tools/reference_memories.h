// Memories of texts, encoded straight into a runner's slots.
#ifndef MEMORY3_TOOLS_REFERENCE_MEMORIES_H_
#define MEMORY3_TOOLS_REFERENCE_MEMORIES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "engine/runner/runner.h"
#include "engine/text/tokenizer.h"

namespace memory3 {

// A text as the ids of one reference, cut to the longest the runner takes.
std::vector<int32_t> ReferenceIds(std::string_view text, const Tokenizer& tokenizer,
                                  const Runner& runner);

// Encodes texts[i] and fills slots[i] with it. InvalidArgument for a text without tokens.
absl::Status FillWithTexts(absl::Span<const std::string> texts, absl::Span<const MemorySlot> slots,
                           const Tokenizer& tokenizer, Runner& runner);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_REFERENCE_MEMORIES_H_
