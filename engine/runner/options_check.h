// What every runner refuses of its options and of references, in the same words.
#ifndef MEMORY3_ENGINE_RUNNER_OPTIONS_CHECK_H_
#define MEMORY3_ENGINE_RUNNER_OPTIONS_CHECK_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/model/model_config.h"
#include "engine/runner/runner.h"

namespace memory3 {

inline constexpr int kMaxSequences = 4096;
inline constexpr int kMaxBatchRows = 65536;
inline constexpr int kMaxKvBlockTokens = 1024;
inline constexpr int kKvBlockMultiple = 16;
inline constexpr int kMaxMemorySlots = 1 << 16;

// The options all runners have; the fields carry the options' names.
struct RunnerLimits {
  DType dtype = DType::kBF16;
  int max_sequences = 0;
  int max_batch_rows = 0;
  int max_context = 0;  // 0: the model's
  int kv_block_tokens = 0;
  int64_t kv_cache_bytes = 0;
};

// "<option> must be <range>, got <number>".
absl::Status RefuseOption(absl::string_view option, absl::string_view range, int64_t got);

// InvalidArgument naming the option. `max_context`: of the runner, not 0.
absl::Status CheckRunnerLimits(const ModelConfig& config, const RunnerLimits& limits);
absl::Status CheckMemoryOptions(const ModelConfig& config, const RunnerMemoryOptions& options,
                                int max_context);

// What a runner with these options says of itself.
RunnerMemoryInfo MemoryInfoOf(const ModelConfig& config, const RunnerMemoryOptions& options,
                              int max_references_per_encode);

// Of Runner::EncodeReferences. InvalidArgument naming the reference.
absl::Status CheckReferences(absl::Span<const absl::Span<const int32_t>> references,
                             const RunnerMemoryInfo& info, int vocab);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_RUNNER_OPTIONS_CHECK_H_
