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
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "engine/model/memory_config.h"
#include "engine/runner/batch.h"
#include "engine/runner/memory_tensor.h"
#include "engine/runner/sampling_params.h"

namespace memory3 {

// What a runner was built with for explicit memory.
struct RunnerMemoryOptions {
  MemoryConfig config;
  std::vector<int32_t> prefix_ids;  // the reference prefix as token ids, at least one
  int slots = 0;                    // memories held on the device at once, at least one chunk's
  DType dtype = DType::kBF16;       // of memory tensors: what banks hold; kF32 for parity
};

struct RunnerMemoryInfo {
  MemoryShape shape;  // of the tensors that EncodeReferences produces and FillSlot takes
  int slots = 0;      // 0: built without explicit memory; the rest is then meaningless
  int memories_per_chunk = 0;
  int chunk_tokens = 0;
  int reference_tokens = 0;
  int prefix_tokens = 0;
  // Position of context token 0 of a sequence with memory: prefix_tokens + reference_tokens. Such a
  // sequence has so many tokens less than max_context.
  int position_offset = 0;
  int max_references_per_encode = 0;
};

struct RunnerInfo {
  std::string device;  // for people: "cpu, 2 threads, avx512_bf16, bf16 weights"
  // For people too: what memory of the device went to; empty: nothing to say.
  std::string memory_plan;
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
  bool runs_ahead = false;  // StartStep and FinishStep can be had
  RunnerMemoryInfo memory;
};

// Steps that may have been started and not yet finished.
inline constexpr int kMaxStepsStarted = 2;

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

  // Run in two halves, for runners that have them (info().runs_ahead): the next step is started
  // before the last one's result is there, so that the device does not wait for the host.
  //
  //   StartStep(first); StartStep(second); FinishStep(&output); StartStep(third); ...
  //
  // StartStep returns when the batch's views may go, without waiting for the device; no logit_rows.
  // Steps run, and finish, in the order they were started, at most kMaxStepsStarted at a time. What
  // else is called in between, Begin- and EndSequence and FillSlot of what started steps use
  // included, takes effect behind them. Run only when none is started. An error of StartStep means
  // that nothing was started; one of FinishStep ends the step, and the ones behind it may fail too.
  virtual absl::Status StartStep(const Batch& batch) {
    return absl::UnimplementedError("this runner does not run ahead");
  }
  virtual absl::Status FinishStep(StepOutput* output) {
    return absl::UnimplementedError("this runner does not run ahead");
  }

  // Explicit memory; Unimplemented by runners without it (info().memory.slots is 0).

  // Makes `memory` visible in `slot` for the Runs that follow; overwrites what was there, which no
  // sequence of the next Run may still be meant to see. Does not wait for a device: the runner
  // keeps the reference until it has copied. InvalidArgument when the shape is not
  // info().memory.shape.
  virtual absl::Status FillSlot(MemorySlot slot, std::shared_ptr<const MemoryTensor> memory) {
    return absl::UnimplementedError("this runner has no explicit memory");
  }

  // Write path (paper, 3.1-3.3): one memory per reference, each the ids of its text without prefix
  // or BOS: 1 to reference_tokens of them, in a batch of at most max_references_per_encode. Runs
  // the memory layers only and touches no sequence. A memory's bits do not depend on the others of
  // the batch.
  virtual absl::Status EncodeReferences(
      absl::Span<const absl::Span<const int32_t>> references,
      std::vector<std::shared_ptr<const MemoryTensor>>* memories) {
    return absl::UnimplementedError("this runner has no explicit memory");
  }
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_RUNNER_RUNNER_H_
