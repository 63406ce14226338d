// The model on a device. Coarse on purpose: one call runs one batch through every layer and
// samples.
//
// A runner owns the weights, the paged KV cache and the sampling state of its sequences; it knows
// nothing of requests, queues or text. The CPU and CUDA runners compute the same thing and are
// compared with each other. Batch-invariance: what comes back for a sequence does not depend on its
// batch mates, nor on how its prompt was cut. Thread safety: one thread (the engine's) makes all
// calls, info() excepted.
#ifndef MEMORY3_ENGINE_RUNNER_RUNNER_H_
#define MEMORY3_ENGINE_RUNNER_RUNNER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "engine/runner/batch.h"
#include "engine/runner/sampling_params.h"

namespace memory3 {

struct RunnerInfo {
  std::string device;  // for people: "cpu, 2 threads, avx512_bf16, bf16 weights"
  int vocab = 0;
  int max_context = 0;  // tokens of one sequence, prompt and answer together
  int kv_block_tokens = 0;
  int kv_blocks = 0;
  int max_sequences = 0;
  int max_batch_rows = 0;
  int64_t weight_bytes = 0;  // resident
  int64_t weight_bytes_per_step =
      0;  // read from memory by a step of one row: the roofline's numerator
  int64_t kv_bytes_per_token = 0;
};

class Runner {
 public:
  virtual ~Runner() = default;

  virtual const RunnerInfo& info() const = 0;

  // Opens a slot: sets its sampling state afresh. `prompt` feeds the repetition penalty; copied.
  // Params are valid (the engine checked them). The slot must be closed.
  virtual void BeginSequence(SequenceSlot slot, const SamplingParams& params,
                             absl::Span<const int32_t> prompt) = 0;
  virtual void EndSequence(SequenceSlot slot) = 0;

  // Runs the batch and overwrites *output. A token sampled here counts as generated for the
  // sequence's penalties, min_tokens and random numbers. An error leaves the runner usable; the
  // batch's sequences must then be ended.
  virtual absl::Status Run(const Batch& batch, StepOutput* output) = 0;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_RUNNER_RUNNER_H_
