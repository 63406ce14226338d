#include "engine/cpu/batch_check.h"

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"

namespace memory3 {
namespace {

template <typename... Parts>
absl::Status Wrong(const BatchSequence& sequence, const Parts&... parts) {
  return absl::InvalidArgumentError(
      absl::StrCat("batch: sequence of slot ", sequence.slot, ": ", parts...));
}

absl::Status CheckTokens(const BatchSequence& sequence, const RunnerInfo& info) {
  if (sequence.tokens.empty()) return Wrong(sequence, "has no tokens");
  for (const int32_t token : sequence.tokens) {
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

absl::Status CheckPlace(const BatchSequence& sequence, const RunnerInfo& info) {
  const int64_t end = int64_t{sequence.first_position} + sequence.tokens.size();
  if (sequence.first_position < 0 || end > info.max_context) {
    return Wrong(sequence, "positions [", sequence.first_position, ", ", end, ") are not in [0, ",
                 info.max_context, ")");
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
                        std::vector<SlotState>& slots) {
  int64_t rows = 0;
  for (const BatchSequence& sequence : batch.sequences) {
    if (sequence.slot < 0 || sequence.slot >= info.max_sequences) {
      return Wrong(sequence, "slot is not in [0, ", info.max_sequences, ")");
    }
    SlotState& slot = slots[sequence.slot];
    if (!slot.open) return Wrong(sequence, "slot is not open");
    if (slot.last_step == step) return Wrong(sequence, "slot appears twice");
    slot.last_step = step;
    M3_RETURN_IF_ERROR(CheckTokens(sequence, info));
    M3_RETURN_IF_ERROR(CheckPlace(sequence, info));
    rows += sequence.tokens.size();
  }
  if (rows > info.max_batch_rows) {
    return absl::InvalidArgumentError(
        absl::StrCat("batch: ", rows, " rows, at most ", info.max_batch_rows, " fit"));
  }
  return absl::OkStatus();
}

}  // namespace memory3
