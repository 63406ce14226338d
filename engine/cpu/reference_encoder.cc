#include "engine/cpu/reference_encoder.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "engine/base/bfloat16.h"
#include "engine/base/status_macros.h"
#include "engine/runner/options_check.h"

namespace memory3 {
namespace {

void StoreHead(const float* from, int head_dim, DType dtype, uint8_t* to) {
  if (dtype == DType::kF32) {
    std::memcpy(to, from, head_dim * sizeof(float));
  } else {
    std::transform(from, from + head_dim, reinterpret_cast<uint16_t*>(to), ToBfloat16);
  }
}

}  // namespace

ReferenceEncoder::ReferenceEncoder(const ModelConfig& config, const CpuMemoryPlan& plan, CpuIsa isa,
                                   const MemoryTiles& tiles, CpuTransformer& transformer,
                                   ThreadPool& pool)
    : config_(config),
      plan_(plan),
      info_(MemoryInfoOf(config, plan.options, plan.max_references)),
      kernels_(KernelsFor(isa)),
      tiles_(tiles),
      transformer_(transformer),
      pool_(pool),
      cache_(plan.encode_shape, plan.blocks_per_reference() * plan.max_references),
      blocks_(cache_.blocks()) {
  std::iota(blocks_.begin(), blocks_.end(), 0);
  const MemoryConfig& memory = plan.options.config;
  for (int i = 0; i < pool.threads(); ++i) {
    selectors_.emplace_back(TokenSelector::Limits{config.head_dim, config.heads / config.kv_heads,
                                                  memory.reference_tokens, memory.kept_tokens},
                            memory.selection, kernels_);
  }
}

absl::Status ReferenceEncoder::Encode(absl::Span<const absl::Span<const int32_t>> references,
                                      std::vector<std::shared_ptr<const MemoryTensor>>* memories) {
  M3_RETURN_IF_ERROR(CheckReferences(references, info_, config_.vocab));
  memories->clear();
  if (references.empty()) return absl::OkStatus();
  BuildBatch(references);
  transformer_.Begin(batch_, plan_.prefix_tokens(), &cache_, &tiles_);
  for (int layer = 0; layer <= plan_.last_layer(); ++layer) {
    transformer_.Project(layer);
    if (tiles_.memory_layer(layer) >= 0) KeepTokens(layer);
    if (layer < plan_.last_layer()) transformer_.Finish(layer);
  }
  memories->assign(memories_.begin(), memories_.end());
  memories_.clear();
  return absl::OkStatus();
}

void ReferenceEncoder::BuildBatch(absl::Span<const absl::Span<const int32_t>> references) {
  batch_.sequences.clear();
  first_row_.clear();
  memories_.clear();
  int64_t row = 0;
  const int blocks = plan_.blocks_per_reference();
  for (size_t i = 0; i < references.size(); ++i) {
    // A reference sees the prefix, but no memories: the same as a context with an empty set.
    batch_.sequences.push_back(
        {.slot = static_cast<SequenceSlot>(i),
         .tokens = references[i],
         .block_table = absl::MakeConstSpan(blocks_).subspan(i * blocks, blocks),
         .use_memory = true});
    first_row_.push_back(row);
    row += static_cast<int64_t>(references[i].size());
    memories_.push_back(NewMemoryTensor(plan_.shape));
    MemoryTensor& memory = *memories_.back();
    memory.tokens = std::min(plan_.shape.kept_tokens, static_cast<int>(references[i].size()));
    memory.kept.resize(int64_t{plan_.shape.layers} * plan_.shape.kv_heads * memory.tokens);
  }
}

void ReferenceEncoder::KeepTokens(int layer) {
  next_.store(0, std::memory_order_relaxed);
  const int64_t heads = static_cast<int64_t>(memories_.size()) * config_.kv_heads;
  pool_.Run([&](int part, int) {
    for (;;) {
      const int64_t i = next_.fetch_add(1, std::memory_order_relaxed);
      if (i >= heads) return;
      KeepTokensOfHead(layer, static_cast<int>(i / config_.kv_heads),
                       static_cast<int>(i % config_.kv_heads), selectors_[part]);
    }
  });
}

void ReferenceEncoder::KeepTokensOfHead(int layer, int reference, int kv_head,
                                        TokenSelector& selector) {
  const int head_dim = config_.head_dim;
  const int64_t stride = config_.q_width() + 2 * int64_t{config_.kv_width()};
  const int64_t first_row = first_row_[reference];
  const int group = config_.heads / config_.kv_heads;
  const float* rows = transformer_.work().qkv.row(first_row);
  const float* keys = rows + config_.q_width() + int64_t{kv_head} * head_dim;
  const absl::Span<const int32_t> kept =
      selector.Select(rows + int64_t{kv_head} * group * head_dim, keys, stride,
                      static_cast<int>(batch_.sequences[reference].tokens.size()));

  MemoryTensor& memory = *memories_[reference];
  const MemoryShape& shape = plan_.shape;
  const int64_t head_bytes = int64_t{head_dim} * SizeOf(shape.dtype);
  const int64_t values = shape.kv_heads * shape.kept_tokens * head_bytes;
  const int memory_layer = tiles_.memory_layer(layer);
  uint8_t* to =
      memory.bytes.data() + memory_layer * 2 * values + kv_head * shape.kept_tokens * head_bytes;
  std::copy(
      kept.begin(), kept.end(),
      memory.kept.begin() + (int64_t{memory_layer} * shape.kv_heads + kv_head) * memory.tokens);
  std::vector<float> rotated(head_dim);
  const RopeAngles& angles = transformer_.angles();
  for (const int32_t token : kept) {
    const float* key = keys + token * stride;
    kernels_.rotate(key, angles.cosines(first_row + token), angles.sines(first_row + token),
                    angles.half(), 1.0f, rotated.data());
    StoreHead(rotated.data(), head_dim, shape.dtype, to);
    StoreHead(key + config_.kv_width(), head_dim, shape.dtype, to + values);
    to += head_bytes;
  }
}

}  // namespace memory3
