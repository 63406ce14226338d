#include "engine/sched/chunk_plan.h"

#include <algorithm>

#include "engine/base/check.h"

namespace memory3 {

ChunkPlan::ChunkPlan(int prompt_tokens, int max_tokens, int chunk_tokens, int lead_tokens)
    : prompt_tokens_(prompt_tokens),
      chunk_tokens_(chunk_tokens),
      lead_tokens_(lead_tokens),
      prompt_chunks_((prompt_tokens + chunk_tokens - 1) / chunk_tokens) {
  M3_CHECK(prompt_tokens > 0 && max_tokens > 0 && chunk_tokens > 0);
  M3_CHECK(lead_tokens >= 0 && lead_tokens < chunk_tokens);
  chunks_ = ChunkOf(prompt_tokens + max_tokens - 2) + 1;
}

int ChunkPlan::ChunkOf(int token) const {
  if (token < prompt_tokens_) return token / chunk_tokens_;
  return prompt_chunks_ - 1 + (token - prompt_tokens_) / chunk_tokens_;
}

int ChunkPlan::FirstRow(int chunk) const {
  if (chunk < prompt_chunks_) return chunk * chunk_tokens_;
  return prompt_tokens_ + (chunk - prompt_chunks_ + 1) * chunk_tokens_;
}

TokenRange ChunkPlan::QueryTokens(int chunk) const {
  const int end = chunk < prompt_chunks_ ? std::min((chunk + 1) * chunk_tokens_, prompt_tokens_)
                                         : FirstRow(chunk) - lead_tokens_;
  return {std::max(0, end - chunk_tokens_), end};
}

std::optional<int> ChunkPlan::QueryAfter(int generated) const {
  const int boundary = generated + lead_tokens_;
  if (generated <= 0 || boundary % chunk_tokens_ != 0) return std::nullopt;
  const int chunk = prompt_chunks_ - 1 + boundary / chunk_tokens_;
  if (chunk >= chunks_) return std::nullopt;
  return chunk;
}

}  // namespace memory3
