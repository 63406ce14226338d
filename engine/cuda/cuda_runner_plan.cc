#include "engine/cuda/cuda_runner_plan.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/status_macros.h"
#include "engine/cuda/dense_product.h"
#include "engine/cuda/device_model.h"
#include "engine/cuda/kernels/select_tokens.h"
#include "engine/cuda/products.h"
#include "engine/cuda/reference_encoder.h"
#include "engine/runner/options_check.h"

namespace memory3::cuda {
namespace {

std::string Gibibytes(int64_t bytes) {
  const double mib = static_cast<double>(bytes) / (1 << 20);
  return mib < 1024 ? absl::StrFormat("%.1f MiB", mib) : absl::StrFormat("%.2f GiB", mib / 1024);
}

int RoundUp(int value, int multiple) { return (value + multiple - 1) / multiple * multiple; }

absl::Status CheckOptions(const ModelConfig& config, const CudaRunnerOptions& options) {
  M3_RETURN_IF_ERROR(CheckRunnerLimits(config, {.dtype = options.dtype,
                                                .max_sequences = options.max_sequences,
                                                .max_batch_rows = options.max_batch_rows,
                                                .max_context = options.max_context,
                                                .kv_block_tokens = options.kv_block_tokens,
                                                .kv_cache_bytes = options.kv_cache_bytes}));
  if (!(options.memory_fraction > 0 && options.memory_fraction <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("memory_fraction must be in (0, 1], got ", options.memory_fraction));
  }
  if (options.skinny_rows < 0 || options.skinny_rows > kMaxSkinnyRows) {
    return RefuseOption("skinny_rows", absl::StrCat("in [0, ", kMaxSkinnyRows, "]"),
                        options.skinny_rows);
  }
  for (const int inputs : {config.hidden, config.q_width(), config.mlp}) {
    if (!options.batch_invariant || Products::CanBeInvariant(inputs)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("batch_invariant: the model's hidden size ", config.hidden, ", query width ",
                     config.q_width(), " and MLP width ", config.mlp, " must be divisible by 8"));
  }
  return absl::OkStatus();
}

CudaMemoryPlan PlanMemory(const ModelConfig& config, const CudaRunnerOptions& options) {
  const RunnerMemoryOptions& memory = *options.memory;
  CudaMemoryPlan plan;
  plan.options = memory;
  plan.shape = {.record = MemoryShapeOf(memory.config, config, memory.dtype),
                .layers = memory.config.layers,
                .model_layers = config.layers,
                .prefix_tokens = static_cast<int>(memory.prefix_ids.size()),
                .slots = memory.slots};
  const int tokens = memory.config.reference_tokens;
  plan.max_references = std::max(1, kEncodeRows / tokens);
  plan.blocks_per_reference = (tokens + options.kv_block_tokens - 1) / options.kv_block_tokens;
  plan.encode_shape = KvShapeOf(config, 1, options.kv_block_tokens);
  return plan;
}

// Everything but the KV cache.
template <typename T>
void AddBytes(const ModelConfig& config, CudaRunnerPlan& plan) {
  plan.weight_bytes = DeviceModel<T>::Bytes(config, plan.max_context);
  plan.workspace_bytes = Workspace<T>::Bytes(config, plan.work) +
                         StepInput::DeviceBytes(plan.step) + kProductWorkspaceBytes +
                         DeviceSampler::DeviceBytes(plan.sampler);
  plan.pinned_bytes = StepInput::PinnedBytes(plan.step) + DeviceSampler::PinnedBytes(plan.sampler) +
                      plan.returned_logits_bytes;
  if (!plan.memory.has_value()) return;
  const CudaMemoryPlan& memory = *plan.memory;
  plan.memory_bytes = DeviceMemories<T>::DeviceBytes(memory.shape) +
                      ReferenceEncoder<T>::DeviceBytes(memory) +
                      KvCache<T>::BlockBytes(memory.encode_shape) * memory.blocks_per_reference *
                          memory.max_references;
  plan.pinned_bytes +=
      DeviceMemories<T>::PinnedBytes(memory.shape) + ReferenceEncoder<T>::PinnedBytes(memory);
}

template <typename T>
absl::Status AddKvCache(const CudaRunnerOptions& options, int64_t free_bytes,
                        CudaRunnerPlan& plan) {
  const int64_t block_bytes = KvCache<T>::BlockBytes(plan.kv_shape);
  const int64_t per_sequence = plan.step.max_blocks;
  const auto usable =
      static_cast<int64_t>(static_cast<double>(free_bytes) * options.memory_fraction);
  const int64_t left = usable - plan.device_bytes();
  int64_t blocks = (options.kv_cache_bytes > 0 ? options.kv_cache_bytes : left) / block_bytes;
  if (options.kv_cache_bytes > 0 && blocks < 1) {
    return RefuseOption("kv_cache_bytes", absl::StrCat("at least one block of ", block_bytes),
                        options.kv_cache_bytes);
  }
  // More than every sequence at full length can use would never be touched. What is not asked for
  // must hold one sequence.
  const int64_t least = options.kv_cache_bytes > 0 ? 1 : per_sequence;
  blocks = std::clamp(blocks, least, per_sequence * plan.max_sequences);
  plan.kv_blocks = static_cast<int>(
      std::min<int64_t>(blocks, std::numeric_limits<int32_t>::max() / plan.kv_shape.block_tokens));
  plan.kv_bytes = block_bytes * plan.kv_blocks;
  if (plan.kv_bytes <= left) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "the model needs ", plan.Summary(), "; ", Gibibytes(usable), " may be used (",
      Gibibytes(free_bytes), " free, memory_fraction ", options.memory_fraction,
      "); a smaller kv_cache_bytes, max_context, max_sequences or max_batch_rows needs less"));
}

}  // namespace

std::string CudaRunnerPlan::Summary() const {
  return absl::StrCat(Gibibytes(device_bytes()), " of device memory (weights ",
                      Gibibytes(weight_bytes), ", KV cache ", Gibibytes(kv_bytes), " in ",
                      kv_blocks, " blocks of ", kv_shape.block_tokens, " tokens, memory slots ",
                      Gibibytes(memory_bytes), ", workspaces ", Gibibytes(workspace_bytes),
                      ") and ", Gibibytes(pinned_bytes), " of pinned host memory");
}

absl::StatusOr<CudaRunnerPlan> PlanCudaRunner(const ModelConfig& config,
                                              const CudaRunnerOptions& options,
                                              int64_t free_bytes) {
  M3_RETURN_IF_ERROR(CheckOptions(config, options));
  CudaRunnerPlan plan;
  plan.dtype = options.dtype;
  plan.max_sequences = options.max_sequences;
  plan.max_batch_rows = options.max_batch_rows;
  plan.max_context = options.max_context > 0 ? options.max_context : config.max_context;
  plan.kv_shape = KvShapeOf(config, config.layers, options.kv_block_tokens);
  plan.step = {
      .rows = plan.max_batch_rows,
      .sequences = plan.max_sequences,
      .max_blocks = (plan.max_context + options.kv_block_tokens - 1) / options.kv_block_tokens,
      .block_tokens = options.kv_block_tokens,
      .prefill_tile_rows = PrefillTileRows({config.heads, config.kv_heads, config.head_dim})};
  plan.step.rows = std::max(plan.step.rows, plan.max_sequences);
  int work_rows = PaddedProductRows(plan.step.rows);
  if (options.memory.has_value()) {
    M3_RETURN_IF_ERROR(CheckMemoryOptions(config, *options.memory, plan.max_context));
    if (options.memory->config.reference_tokens > kMaxSelectTokens) {
      return RefuseOption("memory.config.reference_tokens",
                          absl::StrCat("at most ", kMaxSelectTokens, " on CUDA"),
                          options.memory->config.reference_tokens);
    }
    plan.memory = PlanMemory(config, options);
    const CudaMemoryPlan& memory = *plan.memory;
    const int encode_rows = memory.max_references * options.memory->config.reference_tokens;
    plan.step.rows = std::max({plan.step.rows, encode_rows, memory.prefix_tokens()});
    plan.step.sequences = std::max(plan.step.sequences, memory.max_references);
    plan.step.memories_per_chunk = options.memory->config.memories_per_chunk;
    work_rows = std::max({work_rows, RoundUp(encode_rows, kEncodeSliceRows),
                          PaddedProductRows(memory.prefix_tokens())});
  }
  plan.work = {.rows = work_rows,
               .logit_rows = PaddedProductRows(plan.max_sequences),
               .decode_rows = std::max(plan.max_sequences, kMaxSkinnyRows),
               .max_context = plan.max_context};
  plan.sampler = {.vocab = config.vocab, .slots = plan.max_sequences, .rows = plan.max_sequences};
  plan.returned_logits_bytes =
      int64_t{plan.max_sequences} * config.vocab * static_cast<int64_t>(sizeof(float));
  if (options.dtype == DType::kF32) {
    AddBytes<float>(config, plan);
    M3_RETURN_IF_ERROR(AddKvCache<float>(options, free_bytes, plan));
  } else {
    AddBytes<BFloat16>(config, plan);
    M3_RETURN_IF_ERROR(AddKvCache<BFloat16>(options, free_bytes, plan));
  }
  return plan;
}

}  // namespace memory3::cuda
