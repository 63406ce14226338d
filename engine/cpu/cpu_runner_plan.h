// Turns CpuRunnerOptions into the numbers a runner is built with, or says why they cannot work.
#ifndef MEMORY3_ENGINE_CPU_CPU_RUNNER_PLAN_H_
#define MEMORY3_ENGINE_CPU_CPU_RUNNER_PLAN_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "engine/cpu/cpu_runner.h"
#include "engine/cpu/kv_cache.h"
#include "engine/runner/options_check.h"

namespace memory3 {

inline constexpr int kMaxThreads = 256;
// References that EncodeReferences takes at once are as many as this many rows hold, at least one.
inline constexpr int kEncodeRows = 512;
inline constexpr int64_t kDefaultKvCacheBytes = int64_t{2} << 30;

// The part of a plan that explicit memory adds.
struct CpuMemoryPlan {
  RunnerMemoryOptions options;
  MemoryShape shape;
  KvShape encode_shape;  // of the keys and values of references while they are encoded
  int max_references = 0;

  int prefix_tokens() const { return static_cast<int>(options.prefix_ids.size()); }
  int last_layer() const { return options.config.layers.back(); }
  int blocks_per_reference() const;
};

struct CpuRunnerPlan {
  CpuIsa isa = CpuIsa::kPortable;
  int threads = 0;
  int max_sequences = 0;
  int max_batch_rows = 0;
  int max_context = 0;
  KvShape kv_shape;
  int kv_blocks = 0;
  std::optional<CpuMemoryPlan> memory;
  int work_rows = 0;            // of the activations: a batch's, or an encode's if that is more
  int64_t weight_bytes = 0;     // estimates, before anything is allocated
  int64_t workspace_bytes = 0;  // activations and sampling state
  int64_t memory_bytes = 0;     // prefix, slots, keys and values of an encode
  int64_t kv_bytes() const { return kv_shape.block_bytes() * kv_blocks; }
};

// InvalidArgument naming the option.
absl::StatusOr<CpuRunnerPlan> PlanCpuRunner(const ModelConfig& config,
                                            const CpuRunnerOptions& options);

// ResourceExhausted with the numbers when the plan needs more than `available` bytes (unknown: OK).
absl::Status CheckMemory(const CpuRunnerPlan& plan, std::optional<int64_t> available);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_CPU_RUNNER_PLAN_H_
