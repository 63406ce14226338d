// The arithmetic of the chunk loop (Memory³ paper, 3.1 and 7.5) for one request: which chunk a row
// of the context sees the memories of, when a chunk's query leaves and with which tokens. Pure.
//
// The prompt is cut into chunks of chunk_tokens, the last one possibly shorter. Generated tokens
// are counted from the first: the first chunk_tokens of them, as rows, still belong to the last
// prompt chunk, each further chunk_tokens to a chunk of their own. With chunk_tokens 4, a prompt of
// 6 tokens (p), generated ones (g):
//
//   row    p p p p  p p g g g g  g g g g  g g ...
//   chunk  0        1            2        3
#ifndef MEMORY3_ENGINE_SCHED_CHUNK_PLAN_H_
#define MEMORY3_ENGINE_SCHED_CHUNK_PLAN_H_

#include <optional>

namespace memory3 {

// Tokens of the context are numbered from 0, the prompt's first.
struct TokenRange {
  int begin = 0;
  int end = 0;
  bool operator==(const TokenRange&) const = default;
};

class ChunkPlan {
 public:
  // All above 0, except 0 <= lead_tokens < chunk_tokens: so many tokens before the last one of a
  // chunk is sampled leaves the query of the next.
  ChunkPlan(int prompt_tokens, int max_tokens, int chunk_tokens, int lead_tokens);

  int prompt_chunks() const { return prompt_chunks_; }
  // Chunks that can have rows; the answer's last token is never a row.
  int chunks() const { return chunks_; }

  int ChunkOf(int token) const;
  // The first row of `chunk`, which may be chunks(): then the first row after the last chunk.
  int FirstRow(int chunk) const;

  // The tokens whose text is the chunk's query: a full prompt chunk's own, else the newest
  // chunk_tokens of those that are there when the query leaves (fewer where the context is short).
  TokenRange QueryTokens(int chunk) const;
  // The chunk whose query leaves once `generated` tokens have been sampled, if one does. Queries of
  // prompt chunks leave before.
  std::optional<int> QueryAfter(int generated) const;

 private:
  const int prompt_tokens_;
  const int chunk_tokens_;
  const int lead_tokens_;
  const int prompt_chunks_;
  int chunks_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_SCHED_CHUNK_PLAN_H_
