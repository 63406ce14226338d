// The negative log-likelihood that a runner gives to a text, with any memories attached.
#ifndef MEMORY3_TOOLS_NLL_SCORER_H_
#define MEMORY3_TOOLS_NLL_SCORER_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/runner/runner.h"

namespace memory3 {

// Uses sequence slot 0 and the KV blocks from 0; one text at a time. Not thread-safe.
class NllScorer {
 public:
  // The runner must outlive the scorer.
  explicit NllScorer(Runner& runner);

  struct Text {
    absl::Span<const int32_t> tokens;  // BOS included, at least two, within the context
    int first_scored = 1;  // token whose likelihood is the first that counts, at least 1
    bool use_memory = false;
    absl::Span<const MemorySlot> memories = {};  // seen by every row
  };
  // Mean over the scored tokens, in nats.
  absl::StatusOr<double> Score(const Text& text);

 private:
  absl::StatusOr<double> ScoreOpened(const Text& text);

  Runner& runner_;
  std::vector<KvBlockId> blocks_;
  StepOutput output_;
};

}  // namespace memory3

#endif  // MEMORY3_TOOLS_NLL_SCORER_H_
