// Runs a parity case through a Runner, the way an engine would: the prompt in pieces, then one
// token per step from the KV cache.
#ifndef MEMORY3_TOOLS_PARITY_RUN_H_
#define MEMORY3_TOOLS_PARITY_RUN_H_

#include <cstdint>
#include <vector>

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

struct ParityResult {
  std::vector<RowError> rows;
  std::vector<int32_t> greedy_ids;  // as many as the case has
  int equal_greedy_ids = 0;         // before the first difference
};

// InvalidArgument when the case does not fit the model.
absl::StatusOr<ParityResult> RunParityCase(const ParityCase& parity, Runner& runner);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_PARITY_RUN_H_
