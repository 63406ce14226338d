// The Runner for CPUs: packed weights, a paged KV cache, one thread pool.
#ifndef MEMORY3_ENGINE_CPU_CPU_RUNNER_H_
#define MEMORY3_ENGINE_CPU_CPU_RUNNER_H_

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "engine/cpu/matmul.h"
#include "engine/model/model_config.h"
#include "engine/model/weights.h"
#include "engine/runner/runner.h"

namespace memory3 {

struct CpuRunnerOptions {
  DType dtype = DType::kBF16;  // kBF16, or kF32 for parity; also the KV cache's
  std::optional<CpuIsa> isa;   // default: the best the machine has
  int threads = 0;             // 0: one per core this process may use
  int max_sequences = 64;
  int max_batch_rows = 256;
  int max_context = 0;       // 0: the model's
  int kv_block_tokens = 16;  // a multiple of 16
  int64_t kv_cache_bytes =
      0;  // 0: max_sequences sequences of the whole context, at most 2 GiB, at least one sequence
  std::optional<RunnerMemoryOptions> memory;  // absent: a plain decoder only
};

// Reads and packs every weight; `weights` may be dropped afterwards. InvalidArgument for options
// that cannot work, ResourceExhausted when memory does not suffice (with the numbers).
absl::StatusOr<std::unique_ptr<Runner>> CreateCpuRunner(const ModelConfig& config,
                                                        const ModelWeights& weights,
                                                        const CpuRunnerOptions& options);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_CPU_RUNNER_H_
