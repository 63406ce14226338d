// Checks a batch, or a memory for a slot, before anything is touched.
#ifndef MEMORY3_ENGINE_RUNNER_BATCH_CHECK_H_
#define MEMORY3_ENGINE_RUNNER_BATCH_CHECK_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "engine/runner/batch.h"
#include "engine/runner/runner.h"

namespace memory3 {

// What a runner knows of its slots, indexed by SequenceSlot.
struct SlotState {
  bool open = false;
  uint64_t last_step = 0;    // the step that last ran the slot, to find repetitions
  bool has_sampled = false;  // a token that kSampledToken stands for
};

// InvalidArgument naming the sequence and what is wrong with it; OK when every index of the batch
// is in range. `step` must be larger than in every call before. `slot_tokens`: tokens of the memory
// in each slot, 0 where none was filled; empty for a runner without explicit memory.
absl::Status CheckBatch(const Batch& batch, const RunnerInfo& info, uint64_t step,
                        std::vector<SlotState>& slots, absl::Span<const int32_t> slot_tokens);

// InvalidArgument unless `memory` has the shape and holds 1 to kept_tokens tokens in all its bytes.
absl::Status CheckMemoryTensor(const MemoryTensor& memory, const MemoryShape& shape);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_RUNNER_BATCH_CHECK_H_
