// One step's work for a runner, and what comes back.
#ifndef MEMORY3_ENGINE_RUNNER_BATCH_H_
#define MEMORY3_ENGINE_RUNNER_BATCH_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/runner/memory_tensor.h"

namespace memory3 {

// Index of a live sequence on the runner, in [0, RunnerInfo::max_sequences).
using SequenceSlot = int32_t;
// Index of a block of the paged KV cache, in [0, RunnerInfo::kv_blocks). Block b of a sequence's
// table holds its context tokens [b * kv_block_tokens, (b + 1) * kv_block_tokens).
using KvBlockId = int32_t;

// In BatchSequence::tokens, as the only row: the token that the slot sampled last, by whichever
// step that was. A step that is started ahead of the result of the one before names it so, where
// RunnerInfo::runs_ahead.
inline constexpr int32_t kSampledToken = -1;

// The memory set of the rows from `first_row` (an index into BatchSequence::tokens) up to the next
// entry's. Slots are folded in the order given, so the order is part of the result's bits.
struct RowMemories {
  int32_t first_row = 0;
  absl::Span<const MemorySlot> slots;  // filled, distinct, at most memories_per_chunk; may be empty
};

// Consecutive rows of one sequence: one for a decoding sequence, several for a piece of its prompt.
// Row i is the context token first_position + i and attends to every context token up to itself.
// Views must stay valid until Run returns.
struct BatchSequence {
  SequenceSlot slot = 0;
  absl::Span<const int32_t> tokens;         // at least one; or kSampledToken
  int32_t first_position = 0;               // tokens already in the KV cache
  absl::Span<const KvBlockId> block_table;  // covers first_position + tokens.size() tokens
  bool sample = false;                      // choose the token that follows the last row
  // Explicit memory (paper, 3.2). Off: a plain decoder, positions from 0. On: every layer attends
  // to the reference prefix, memory layers also to the row's memories, and context token i sits at
  // position RunnerMemoryInfo::position_offset + i. The same for all rows a sequence ever has.
  bool use_memory = false;
  absl::Span<const RowMemories> memories;  // ascending; the first at row 0; empty: no memories
  // Rows (indexes into tokens, ascending) whose logits come back in StepOutput::logits: for scoring
  // and parity.
  absl::Span<const int32_t> logit_rows;
};

// A slot appears at most once; the rows of all sequences together are at most
// RunnerInfo::max_batch_rows.
struct Batch {
  std::vector<BatchSequence> sequences;
};

struct TokenLogprob {
  int32_t token;
  float logprob;
};

struct SampledToken {
  SequenceSlot slot;
  int32_t token;
  float logprob;  // of `token`; 0 when not asked for
  // The most probable tokens, best first: StepOutput::top_logprobs[top_begin, top_begin +
  // top_count).
  int32_t top_begin;
  int32_t top_count;
};

// Reused from step to step, so that a warm runner does not allocate.
struct StepOutput {
  std::vector<SampledToken> sampled;  // in the order of the sequences that asked
  std::vector<TokenLogprob> top_logprobs;
  std::vector<float> logits;  // (number of logit rows in the batch, vocab), in batch order

  void Clear() {
    sampled.clear();
    top_logprobs.clear();
    logits.clear();
  }
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_RUNNER_BATCH_H_
