#include "engine/runner/batch_check.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"

namespace memory3 {
namespace {

template <typename... Parts>
absl::Status Wrong(const BatchSequence& sequence, const Parts&... parts) {
  return absl::InvalidArgumentError(
      absl::StrCat("batch: sequence of slot ", sequence.slot, ": ", parts...));
}

bool IsSampledToken(const BatchSequence& sequence, const RunnerInfo& info, const SlotState& slot) {
  return info.runs_ahead && slot.has_sampled && sequence.tokens.size() == 1 &&
         sequence.tokens.front() == kSampledToken;
}

absl::Status CheckTokens(const BatchSequence& sequence, const RunnerInfo& info,
                         const SlotState& slot) {
  if (sequence.tokens.empty()) return Wrong(sequence, "has no tokens");
  for (const int32_t token : sequence.tokens) {
    if (IsSampledToken(sequence, info, slot)) break;
    if (token < 0 || token >= info.vocab) {
      return Wrong(sequence, "token ", token, " is not in [0, ", info.vocab, ")");
    }
  }
  int32_t before = -1;
  for (const int32_t row : sequence.logit_rows) {
    if (row <= before || row >= static_cast<int64_t>(sequence.tokens.size())) {
      return Wrong(sequence, "logit_rows must ascend in [0, ", sequence.tokens.size(), "), got ",
                   row);
    }
    before = row;
  }
  return absl::OkStatus();
}

absl::Status CheckSlots(const BatchSequence& sequence, absl::Span<const MemorySlot> slots,
                        const RunnerInfo& info, absl::Span<const int32_t> slot_tokens) {
  if (static_cast<int64_t>(slots.size()) > info.memory.memories_per_chunk) {
    return Wrong(sequence, "sees ", slots.size(), " memories, at most ",
                 info.memory.memories_per_chunk, " are allowed");
  }
  for (size_t i = 0; i < slots.size(); ++i) {
    if (slots[i] < 0 || slots[i] >= static_cast<int64_t>(slot_tokens.size())) {
      return Wrong(sequence, "memory slot ", slots[i], " is not in [0, ", slot_tokens.size(), ")");
    }
    if (slot_tokens[slots[i]] == 0) {
      return Wrong(sequence, "memory slot ", slots[i], " was never filled");
    }
    if (std::find(slots.begin(), slots.begin() + i, slots[i]) != slots.begin() + i) {
      return Wrong(sequence, "memory slot ", slots[i], " appears twice in one set");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckMemories(const BatchSequence& sequence, const RunnerInfo& info,
                           absl::Span<const int32_t> slot_tokens) {
  if (!sequence.use_memory) {
    if (sequence.memories.empty()) return absl::OkStatus();
    return Wrong(sequence, "names memories without use_memory");
  }
  if (slot_tokens.empty()) return Wrong(sequence, "use_memory: this runner has no explicit memory");
  int32_t next = 0;  // the first set begins at row 0, every later one above
  for (const RowMemories& set : sequence.memories) {
    const bool first = &set == &sequence.memories.front();
    if (first ? set.first_row != 0
              : set.first_row < next ||
                    set.first_row >= static_cast<int64_t>(sequence.tokens.size())) {
      return Wrong(sequence, "memories: first_row must begin at 0 and ascend below ",
                   sequence.tokens.size(), ", got ", set.first_row);
    }
    next = set.first_row + 1;
    M3_RETURN_IF_ERROR(CheckSlots(sequence, set.slots, info, slot_tokens));
  }
  return absl::OkStatus();
}

absl::Status CheckPlace(const BatchSequence& sequence, const RunnerInfo& info) {
  const int64_t end = int64_t{sequence.first_position} + sequence.tokens.size();
  const int max_context =
      info.max_context - (sequence.use_memory ? info.memory.position_offset : 0);
  if (sequence.first_position < 0 || end > max_context) {
    return Wrong(sequence, "positions [", sequence.first_position, ", ", end, ") are not in [0, ",
                 max_context, ")");
  }
  const int64_t blocks = (end + info.kv_block_tokens - 1) / info.kv_block_tokens;
  if (static_cast<int64_t>(sequence.block_table.size()) < blocks) {
    return Wrong(sequence, end, " tokens need ", blocks, " KV blocks, the block table has ",
                 sequence.block_table.size());
  }
  for (int64_t i = 0; i < blocks; ++i) {
    const KvBlockId block = sequence.block_table[i];
    if (block < 0 || block >= info.kv_blocks) {
      return Wrong(sequence, "KV block ", block, " is not in [0, ", info.kv_blocks, ")");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckBatch(const Batch& batch, const RunnerInfo& info, uint64_t step,
                        std::vector<SlotState>& slots, absl::Span<const int32_t> slot_tokens) {
  int64_t rows = 0;
  for (const BatchSequence& sequence : batch.sequences) {
    if (sequence.slot < 0 || sequence.slot >= info.max_sequences) {
      return Wrong(sequence, "slot is not in [0, ", info.max_sequences, ")");
    }
    SlotState& slot = slots[sequence.slot];
    if (!slot.open) return Wrong(sequence, "slot is not open");
    if (slot.last_step == step) return Wrong(sequence, "slot appears twice");
    slot.last_step = step;
    M3_RETURN_IF_ERROR(CheckTokens(sequence, info, slot));
    slot.has_sampled |= sequence.sample;
    M3_RETURN_IF_ERROR(CheckPlace(sequence, info));
    M3_RETURN_IF_ERROR(CheckMemories(sequence, info, slot_tokens));
    rows += sequence.tokens.size();
  }
  if (rows > info.max_batch_rows) {
    return absl::InvalidArgumentError(
        absl::StrCat("batch: ", rows, " rows, at most ", info.max_batch_rows, " fit"));
  }
  return absl::OkStatus();
}

absl::Status CheckMemoryTensor(const MemoryTensor& memory, const MemoryShape& shape) {
  if (memory.shape != shape) {
    return absl::InvalidArgumentError(absl::StrCat("a memory of ", Describe(memory.shape),
                                                   " does not fit this model's ", Describe(shape)));
  }
  if (memory.tokens < 1 || memory.tokens > shape.kept_tokens) {
    return absl::InvalidArgumentError(
        absl::StrCat("a memory of ", memory.tokens, " tokens, must be 1 to ", shape.kept_tokens));
  }
  if (static_cast<int64_t>(memory.bytes.size()) < shape.bytes()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a memory of ", memory.bytes.size(), " bytes, its shape has ", shape.bytes()));
  }
  return absl::OkStatus();
}

}  // namespace memory3
