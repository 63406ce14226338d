#include "engine/cpu/cpu_runner_plan.h"

#include <algorithm>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/cpu_count.h"
#include "engine/base/status_macros.h"
#include "engine/cpu/memory_tiles.h"
#include "engine/cpu/packed_model.h"
#include "engine/cpu/workspace.h"

namespace memory3 {
namespace {

// Per vocabulary entry of a slot's sampler: counts, candidates and the copy of its logits.
constexpr int64_t kSamplerBytesPerToken = 32;

absl::Status CheckOptions(const ModelConfig& config, const CpuRunnerOptions& options) {
  static_assert(kKvBlockMultiple == kTileTokens);
  M3_RETURN_IF_ERROR(CheckRunnerLimits(config, {.dtype = options.dtype,
                                                .max_sequences = options.max_sequences,
                                                .max_batch_rows = options.max_batch_rows,
                                                .max_context = options.max_context,
                                                .kv_block_tokens = options.kv_block_tokens,
                                                .kv_cache_bytes = options.kv_cache_bytes}));
  if (options.isa.has_value() && !IsSupported(*options.isa)) {
    const std::string_view name = NameOf(*options.isa);
    return absl::InvalidArgumentError(absl::StrCat(
        "isa ", absl::string_view(name.data(), name.size()), " is not supported by this machine"));
  }
  if (options.threads < 0 || options.threads > kMaxThreads) {
    return RefuseOption("threads", absl::StrCat("in [0, ", kMaxThreads, "]"), options.threads);
  }
  return absl::OkStatus();
}

CpuMemoryPlan PlanMemory(const ModelConfig& config, const RunnerMemoryOptions& options,
                         const KvShape& kv_shape) {
  CpuMemoryPlan memory;
  memory.options = options;
  memory.shape = MemoryShapeOf(options.config, config, options.dtype);
  memory.encode_shape = kv_shape;
  memory.encode_shape.layers = options.config.layers.back() + 1;
  memory.max_references = std::max(1, kEncodeRows / options.config.reference_tokens);
  return memory;
}

absl::StatusOr<int> KvBlocks(const CpuRunnerPlan& plan, int64_t kv_cache_bytes) {
  const int64_t block_bytes = plan.kv_shape.block_bytes();
  const int64_t per_sequence =
      (plan.max_context + plan.kv_shape.block_tokens - 1) / plan.kv_shape.block_tokens;
  int64_t blocks = kv_cache_bytes / block_bytes;
  if (kv_cache_bytes == 0) {
    blocks = std::min(per_sequence * plan.max_sequences, kDefaultKvCacheBytes / block_bytes);
    blocks = std::max(blocks, per_sequence);
  }
  if (blocks < 1) {
    return RefuseOption("kv_cache_bytes", absl::StrCat("at least one block of ", block_bytes),
                        kv_cache_bytes);
  }
  // More than every sequence at full length can use would never be touched.
  blocks = std::min(blocks, per_sequence * plan.max_sequences);
  return static_cast<int>(std::min<int64_t>(blocks, std::numeric_limits<int>::max()));
}

std::string Mebibytes(int64_t bytes) {
  return absl::StrFormat("%.0f MiB", static_cast<double>(bytes) / (1 << 20));
}

}  // namespace

int CpuMemoryPlan::blocks_per_reference() const {
  return (options.config.reference_tokens + encode_shape.block_tokens - 1) /
         encode_shape.block_tokens;
}

absl::StatusOr<CpuRunnerPlan> PlanCpuRunner(const ModelConfig& config,
                                            const CpuRunnerOptions& options) {
  M3_RETURN_IF_ERROR(CheckOptions(config, options));
  CpuRunnerPlan plan;
  plan.isa = options.isa.value_or(BestIsa());
  plan.threads = options.threads > 0 ? options.threads : std::min(UsableCores(), kMaxThreads);
  plan.max_sequences = options.max_sequences;
  plan.max_batch_rows = options.max_batch_rows;
  plan.max_context = options.max_context > 0 ? options.max_context : config.max_context;
  plan.kv_shape = {config.layers, config.kv_heads, config.head_dim, options.kv_block_tokens,
                   options.dtype};
  M3_ASSIGN_OR_RETURN(plan.kv_blocks, KvBlocks(plan, options.kv_cache_bytes));
  plan.work_rows = options.max_batch_rows;
  if (options.memory.has_value()) {
    M3_RETURN_IF_ERROR(CheckMemoryOptions(config, *options.memory, plan.max_context));
    plan.memory = PlanMemory(config, *options.memory, plan.kv_shape);
    const CpuMemoryPlan& memory = *plan.memory;
    plan.work_rows = std::max({plan.work_rows, memory.prefix_tokens(),
                               memory.max_references * options.memory->config.reference_tokens});
    plan.memory_bytes =
        MemoryTiles::EstimateBytes(plan.kv_shape, memory.shape, memory.prefix_tokens(),
                                   options.memory->slots) +
        memory.encode_shape.block_bytes() * memory.blocks_per_reference() * memory.max_references;
  }
  plan.weight_bytes = PackedModel::EstimateBytes(config, options.dtype);
  plan.workspace_bytes =
      Workspace::EstimateBytes(config, plan.work_rows) +
      kSamplerBytesPerToken * config.vocab * static_cast<int64_t>(options.max_sequences);
  return plan;
}

absl::Status CheckMemory(const CpuRunnerPlan& plan, std::optional<int64_t> available) {
  const int64_t needed =
      plan.weight_bytes + plan.kv_bytes() + plan.workspace_bytes + plan.memory_bytes;
  if (!available.has_value() || needed <= *available) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the model needs ", Mebibytes(needed), " of memory (weights ",
                   Mebibytes(plan.weight_bytes), ", KV cache ", Mebibytes(plan.kv_bytes()),
                   ", activations and sampling ", Mebibytes(plan.workspace_bytes),
                   ", memory slots ", Mebibytes(plan.memory_bytes), "), ", Mebibytes(*available),
                   " are available; a smaller kv_cache_bytes, max_sequences or max_batch_rows",
                   plan.memory.has_value() ? ", or fewer memory slots" : "", " needs less"));
}

}  // namespace memory3
