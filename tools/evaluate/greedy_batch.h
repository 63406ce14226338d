// Greedy answers to many prompts at once, each with memories of its own, straight from a runner.
#ifndef MEMORY3_TOOLS_EVALUATE_GREEDY_BATCH_H_
#define MEMORY3_TOOLS_EVALUATE_GREEDY_BATCH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/runner/runner.h"
#include "engine/text/tokenizer.h"

namespace memory3 {

struct GreedyPrompt {
  std::vector<int32_t> tokens;       // BOS included
  bool use_memory = false;           // false: a plain decoder
  std::vector<MemorySlot> memories;  // seen by every row
};

struct GreedyOptions {
  int max_tokens = 32;
  bool one_line = true;             // an answer ends before its first newline
  std::vector<int32_t> eos_tokens;  // and before one of these
};

// Uses every sequence slot and KV block of the runner; nothing else may. Not thread-safe.
class GreedyBatch {
 public:
  // Both must outlive the object.
  GreedyBatch(Runner& runner, const Tokenizer& tokenizer, GreedyOptions options);

  // As many prompts as run at once. At least 1.
  int size() const { return size_; }
  // One answer per prompt, at most size() of them; none where the prompt and the longest answer do
  // not fit the context.
  absl::StatusOr<std::vector<std::optional<std::string>>> Answer(
      absl::Span<const GreedyPrompt> prompts);

 private:
  struct Sequence;

  bool Fits(const GreedyPrompt& prompt) const;
  absl::Status Run(std::vector<Sequence>* sequences);
  absl::Status Step(std::vector<Sequence>* sequences);
  // True when the answer is complete.
  bool Take(int32_t token, Sequence* sequence) const;

  Runner& runner_;
  const Tokenizer& tokenizer_;
  const GreedyOptions options_;
  int blocks_each_ = 0;
  int size_ = 0;
  std::vector<KvBlockId> blocks_;
  StepOutput output_;
};

}  // namespace memory3

#endif  // MEMORY3_TOOLS_EVALUATE_GREEDY_BATCH_H_
