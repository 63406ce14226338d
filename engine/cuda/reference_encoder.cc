#include "engine/cuda/reference_encoder.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "engine/base/status_macros.h"

namespace memory3::cuda {

template <typename T>
typename ReferenceEncoder<T>::Results ReferenceEncoder<T>::Results::At(Arena& arena,
                                                                       const CudaMemoryPlan& plan) {
  const MemoryShape& record = plan.shape.record;
  Results results;
  results.rows = arena.Take<ReferenceRows>(plan.max_references);
  results.kept = arena.Take<int32_t>(int64_t{record.layers} * plan.max_references *
                                     record.kv_heads * record.kept_tokens);
  results.records = arena.Take<uint8_t>(plan.max_references * record.bytes());
  return results;
}

template <typename T>
int64_t ReferenceEncoder<T>::DeviceBytes(const CudaMemoryPlan& plan) {
  Arena arena(nullptr);
  Results::At(arena, plan);
  return arena.used();
}

template <typename T>
int64_t ReferenceEncoder<T>::PinnedBytes(const CudaMemoryPlan& plan) {
  return DeviceBytes(plan);
}

template <typename T>
absl::StatusOr<ReferenceEncoder<T>> ReferenceEncoder<T>::Create(const ModelConfig& config,
                                                                const CudaMemoryPlan& plan,
                                                                ProductRule rule,
                                                                const Runner& runner) {
  ReferenceEncoder encoder(config, plan, rule, runner);
  const int blocks = plan.blocks_per_reference * plan.max_references;
  M3_ASSIGN_OR_RETURN(encoder.cache_, KvCache<T>::Create(plan.encode_shape, blocks));
  M3_ASSIGN_OR_RETURN(encoder.device_, Buffer::Allocate(Buffer::Kind::kDevice, DeviceBytes(plan)));
  M3_ASSIGN_OR_RETURN(encoder.pinned_, Buffer::Allocate(Buffer::Kind::kPinned, PinnedBytes(plan)));
  Arena device(encoder.device_.data()), pinned(encoder.pinned_.data());
  encoder.on_device_ = Results::At(device, plan);
  encoder.on_host_ = Results::At(pinned, plan);
  encoder.blocks_.resize(blocks);
  std::iota(encoder.blocks_.begin(), encoder.blocks_.end(), 0);
  return encoder;
}

template <typename T>
absl::Status ReferenceEncoder<T>::Encode(
    absl::Span<const absl::Span<const int32_t>> references,
    std::vector<std::shared_ptr<const MemoryTensor>>* memories) {
  memories->clear();
  if (references.empty()) return absl::OkStatus();
  const auto count = static_cast<int>(references.size());
  M3_RETURN_IF_ERROR(BuildStep(references));
  EnqueueLayers(count);
  const MemoryShape& record = plan_.shape.record;
  runner_.stream.CopyToHost(on_host_.records, on_device_.records, count * record.bytes());
  runner_.stream.CopyToHost(on_host_.kept, on_device_.kept,
                            record.layers * kept_per_layer(count) * sizeof(int32_t));
  M3_RETURN_IF_ERROR(runner_.stream.Synchronize());
  for (int i = 0; i < count; ++i) {
    memories->push_back(MemoryOf(i, static_cast<int>(references[i].size()), count));
  }
  return absl::OkStatus();
}

template <typename T>
absl::Status ReferenceEncoder<T>::BuildStep(
    absl::Span<const absl::Span<const int32_t>> references) {
  batch_.sequences.clear();
  const int blocks = plan_.blocks_per_reference;
  for (size_t i = 0; i < references.size(); ++i) {
    // A reference sees the prefix, but no memories: the same as a context with an empty set.
    batch_.sequences.push_back(
        {.slot = static_cast<SequenceSlot>(i),
         .tokens = references[i],
         .block_table = absl::MakeConstSpan(blocks_).subspan(i * blocks, blocks),
         .use_memory = true});
  }
  M3_RETURN_IF_ERROR(runner_.input.Build(batch_, {.memory_offset = plan_.shape.prefix_tokens}));
  for (size_t i = 0; i < references.size(); ++i) {
    on_host_.rows[i] = {runner_.input.first_row(static_cast<int>(i)),
                        static_cast<int32_t>(references[i].size())};
  }
  runner_.input.Upload(runner_.stream);
  runner_.stream.CopyToDevice(on_device_.rows, on_host_.rows,
                              references.size() * sizeof(ReferenceRows));
  return absl::OkStatus();
}

template <typename T>
void ReferenceEncoder<T>::EnqueueLayers(int references) {
  const DeviceStep<T> step = {
      .input = &runner_.input, .cache = &cache_, .memories = &runner_.memories, .rule = rule_};
  runner_.transformer.Embed(runner_.stream, step);
  for (int layer = 0; layer <= plan_.last_layer(); ++layer) {
    const bool keeps = runner_.memories.memory_layer(layer) >= 0;
    runner_.transformer.Project(runner_.stream, step, layer);
    if (keeps) Select(layer, references);
    runner_.transformer.Store(runner_.stream, step, layer);
    if (keeps && plan_.shape.record.dtype == DType::kF32) Gather<float>(layer, references);
    if (keeps && plan_.shape.record.dtype == DType::kBF16) Gather<BFloat16>(layer, references);
    if (layer < plan_.last_layer()) runner_.transformer.Finish(runner_.stream, step, layer);
  }
}

template <typename T>
void ReferenceEncoder<T>::Select(int layer, int references) {
  SelectTokens(runner_.stream,
               SelectTokensArgs<T>{.shape = {config_.heads, config_.kv_heads, config_.head_dim},
                                   .qkv = runner_.work.qkv,
                                   .bias = runner_.model.layer(layer).qkv_bias,
                                   .references = on_device_.rows,
                                   .reference_count = references,
                                   .max_tokens = plan_.options.config.reference_tokens,
                                   .rule = plan_.options.config.selection,
                                   .kept_tokens = plan_.shape.record.kept_tokens,
                                   .kept = on_device_.kept + runner_.memories.memory_layer(layer) *
                                                                 kept_per_layer(references)});
}

template <typename T>
template <typename Record>
void ReferenceEncoder<T>::Gather(int layer, int references) {
  const MemoryShape& record = plan_.shape.record;
  const int memory_layer = runner_.memories.memory_layer(layer);
  GatherMemoryArgs<T, Record> args = {
      .shape = {config_.heads, config_.kv_heads, config_.head_dim},
      .kept = on_device_.kept + memory_layer * kept_per_layer(references),
      .reference_count = references,
      .kept_tokens = record.kept_tokens,
      .cache = cache_.layer(0),
      .records =
          reinterpret_cast<Record*>(on_device_.records) + memory_layer * record.layer_elements(),
      .record_stride = record.layers * record.layer_elements()};
  runner_.input.SetTables(args.cache);
  GatherMemory(runner_.stream, args);
}

template <typename T>
std::shared_ptr<const MemoryTensor> ReferenceEncoder<T>::MemoryOf(int index, int tokens,
                                                                  int references) const {
  const MemoryShape& record = plan_.shape.record;
  std::shared_ptr<MemoryTensor> memory = NewMemoryTensor(record);
  memory->tokens = std::min(record.kept_tokens, tokens);
  std::memcpy(memory->bytes.data(), on_host_.records + index * record.bytes(), record.bytes());
  for (int layer = 0; layer < record.layers; ++layer) {
    for (int head = 0; head < record.kv_heads; ++head) {
      const int32_t* const kept = on_host_.kept + layer * kept_per_layer(references) +
                                  (int64_t{index} * record.kv_heads + head) * record.kept_tokens;
      memory->kept.insert(memory->kept.end(), kept, kept + memory->tokens);
    }
  }
  return memory;
}

template class ReferenceEncoder<float>;
template class ReferenceEncoder<BFloat16>;

}  // namespace memory3::cuda
