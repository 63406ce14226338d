// One step's work for a runner, and what comes back.
#ifndef MEMORY3_ENGINE_RUNNER_BATCH_H_
#define MEMORY3_ENGINE_RUNNER_BATCH_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace memory3 {

// Index of a live sequence on the runner, in [0, RunnerInfo::max_sequences).
using SequenceSlot = int32_t;
// Index of a block of the paged KV cache, in [0, RunnerInfo::kv_blocks). Block b of a sequence's
// table holds its context tokens [b * kv_block_tokens, (b + 1) * kv_block_tokens).
using KvBlockId = int32_t;

// Consecutive rows of one sequence: one for a decoding sequence, several for a piece of its prompt.
// Row i is the context token first_position + i and attends to every context token up to itself.
// Views must stay valid until Run returns. Explicit memory joins here: which memory slots each
// 64-token chunk of these rows sees.
struct BatchSequence {
  SequenceSlot slot = 0;
  absl::Span<const int32_t> tokens;         // at least one
  int32_t first_position = 0;               // tokens already in the KV cache
  absl::Span<const KvBlockId> block_table;  // covers first_position + tokens.size() tokens
  bool sample = false;                      // choose the token that follows the last row
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
