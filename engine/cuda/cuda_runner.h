// The Runner for NVIDIA GPUs from compute capability 8.0 on: weights and paged KV cache in device
// memory, one stream for steps and one for memories.
//
// In every build: where there is no CUDA, CudaAvailable says so and CreateCudaRunner refuses
// (cuda_absent.cc). The tests link the same runner with kernels that run on the host (host/).
#ifndef MEMORY3_ENGINE_CUDA_CUDA_RUNNER_H_
#define MEMORY3_ENGINE_CUDA_CUDA_RUNNER_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/model/model_config.h"
#include "engine/model/weights.h"
#include "engine/runner/runner.h"

namespace memory3 {

// Rows up to which our own memory-bound product is used unless CudaRunnerOptions says otherwise;
// the most that it takes at once, too.
inline constexpr int kMaxSkinnyRows = 64;

struct CudaRunnerOptions {
  DType dtype = DType::kBF16;  // kBF16, or kF32 for parity; also the KV cache's
  int max_sequences = 64;
  int max_batch_rows = 2048;
  int max_context = 0;       // 0: the model's
  int kv_block_tokens = 16;  // a multiple of 16
  // 0: what memory_fraction leaves, but no more than max_sequences whole contexts.
  int64_t kv_cache_bytes = 0;
  double memory_fraction = 0.9;  // of the device memory that is free at start; in (0, 1]
  // Products of at most so many rows go through our own kernel, larger ones through cuBLASLt;
  // [0, kMaxSkinnyRows].
  int skinny_rows = kMaxSkinnyRows;
  // A sequence's bits do not depend on its batch mates nor on how its prompt was cut: all products
  // go through our own kernel, which reads the weights once per kMaxSkinnyRows rows. Decode steps
  // of up to skinny_rows rows cost the same as without; longer steps, and so prompts, cost one pass
  // over the weights per kMaxSkinnyRows rows. Off: a step of another size may round differently,
  // and greedy decoding may then choose another of two nearly equal tokens. Needs a hidden size,
  // query width and MLP width divisible by 8.
  bool batch_invariant = false;
  // Warms up, and replays decode steps as graphs; off: kernel by kernel, for debugging.
  bool graphs = true;
  // Kernels start up while the one before still runs, where the device can do that; off: one after
  // the other, for debugging.
  bool overlap = true;
  std::optional<RunnerMemoryOptions> memory;  // absent: a plain decoder only
};

// OK when a CUDA runner can be created here; else why not: the build has none, there is no driver
// or device, or cuBLASLt is missing. Safe to call from any thread.
absl::Status CudaAvailable();

// Uploads every weight and captures the graphs; `weights` may be dropped afterwards.
// InvalidArgument for options that cannot work, ResourceExhausted when memory does not suffice
// (with the numbers), FailedPrecondition where CudaAvailable is not OK.
absl::StatusOr<std::unique_ptr<Runner>> CreateCudaRunner(const ModelConfig& config,
                                                         const ModelWeights& weights,
                                                         const CudaRunnerOptions& options);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CUDA_CUDA_RUNNER_H_
