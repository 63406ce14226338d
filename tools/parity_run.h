// Runs a parity case through a Runner, the way an engine would: the prompt in pieces, then one
// token per step from the KV cache.
#ifndef MEMORY3_TOOLS_PARITY_RUN_H_
#define MEMORY3_TOOLS_PARITY_RUN_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "engine/runner/runner.h"
#include "tools/parity_case.h"

namespace memory3 {

struct RowError {
  int32_t row;
  // Largest absolute difference over the listed logits, divided by the largest of them; NaN when a
  // logit is not a number.
  double relative_error;
};

struct MemoryError {
  int reference;
  int heads_with_other_tokens;  // (layer, KV head) pairs that kept other tokens, ties excepted
  int ties;                     // pairs that kept another of several equal tokens
  // Largest absolute difference over the listed keys (and values), divided by the largest of them.
  double key_error, value_error;
};

struct ParityResult {
  std::vector<MemoryError> memories;  // one per reference
  std::vector<RowError> rows;
  std::vector<int32_t> greedy_ids;  // as many as the case has
  int equal_greedy_ids = 0;         // before the first difference
};

// InvalidArgument when the case does not fit the model.
//
// In the first layer two places of one token weigh exactly the same, and which of them a reference
// in floating point keeps may be its rounding. Such ties count as equal, but the logits then depend
// on the choice: to compare them, the case's own tokens are attached, with keys and values from
// `keep_all`, which gives a runner of the same model that keeps every token. Called at most once.
// With `attach_listed` so are the case's tokens of every memory that kept others.
absl::StatusOr<ParityResult> RunParityCase(
    const ParityCase& parity, Runner& runner, bool attach_listed,
    absl::FunctionRef<absl::StatusOr<std::unique_ptr<Runner>>()> keep_all);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_PARITY_RUN_H_
