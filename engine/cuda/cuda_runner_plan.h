// Turns CudaRunnerOptions and the device's free memory into the numbers a runner is built with, or
// says why they cannot work. The plan is for the worst case: nothing is allocated once a runner is
// built.
#ifndef MEMORY3_ENGINE_CUDA_CUDA_RUNNER_PLAN_H_
#define MEMORY3_ENGINE_CUDA_CUDA_RUNNER_PLAN_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "engine/cuda/cuda_runner.h"
#include "engine/cuda/device_memories.h"
#include "engine/cuda/device_sampler.h"
#include "engine/cuda/kv_cache.h"
#include "engine/cuda/step_input.h"
#include "engine/cuda/workspace.h"

namespace memory3::cuda {

// References that EncodeReferences takes at once are as many as this many rows hold, at least one.
inline constexpr int kEncodeRows = 4096;
// Rows of one product while references are encoded, always so many (the last slice padded): a
// memory's bits do not depend on how many are encoded with it, and one cold reference does not cost
// as much as a full batch.
inline constexpr int kEncodeSliceRows = 512;

// The part of a plan that explicit memory adds.
struct CudaMemoryPlan {
  RunnerMemoryOptions options;
  MemoriesShape shape;
  KvShape encode_shape;  // one layer: each is done with before the next begins
  int max_references = 0;
  int blocks_per_reference = 0;

  int prefix_tokens() const { return static_cast<int>(options.prefix_ids.size()); }
  int last_layer() const { return options.config.layers.back(); }
};

struct CudaRunnerPlan {
  DType dtype = DType::kBF16;
  int max_sequences = 0;
  int max_batch_rows = 0;
  int max_context = 0;
  KvShape kv_shape;
  int kv_blocks = 0;
  std::optional<CudaMemoryPlan> memory;
  WorkspaceShape work;
  StepLimits step;
  SamplerShape sampler;
  int64_t returned_logits_bytes = 0;  // pinned: logits that the caller asked for

  // Device memory.
  int64_t weight_bytes = 0;
  int64_t kv_bytes = 0;
  int64_t memory_bytes = 0;     // prefix, slots, keys and values of an encode, records
  int64_t workspace_bytes = 0;  // activations, step tables, sampling, products
  // Host memory that is locked.
  int64_t pinned_bytes = 0;

  int64_t device_bytes() const { return weight_bytes + kv_bytes + memory_bytes + workspace_bytes; }
  // "13.1 GiB of device memory: weights 4.4 GiB, ..."
  std::string Summary() const;
};

// InvalidArgument naming the option; ResourceExhausted with the numbers when `free_bytes` of device
// memory do not hold the plan.
absl::StatusOr<CudaRunnerPlan> PlanCudaRunner(const ModelConfig& config,
                                              const CudaRunnerOptions& options, int64_t free_bytes);

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_CUDA_RUNNER_PLAN_H_
