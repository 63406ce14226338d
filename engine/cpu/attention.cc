#include "engine/cpu/attention.h"

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"

namespace memory3 {
namespace {

int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

void Prefetch(const float* begin, int floats) {
  constexpr int kCacheLineFloats = 16;
  for (int i = 0; i < floats; i += kCacheLineFloats) __builtin_prefetch(begin + i);
}

}  // namespace

CpuAttention::CpuAttention(const Limits& limits, const CpuKernels& kernels, ThreadPool* pool,
                           const KvShape& shape)
    : heads_(limits.heads),
      group_(limits.heads / shape.kv_heads),
      kernels_(kernels),
      pool_(*pool),
      shape_(shape) {
  M3_CHECK(limits.heads % shape.kv_heads == 0);
  for (int i = 0; i < pool->threads(); ++i) scratch_.push_back(MakeScratch(shape.head_dim));
  sequences_.reserve(limits.max_sequences);
  const int64_t full_blocks = int64_t{limits.max_rows} * group_ / kQueryBlock;
  items_.reserve((full_blocks + limits.max_sequences) * shape.kv_heads);
}

CpuAttention::Scratch CpuAttention::MakeScratch(int head_dim) {
  const int64_t stride = ValueStride(head_dim);
  const int64_t packed = DivideUp(PackedQueryFloats(head_dim), 16) * 16;
  const int64_t floats =
      stride + packed + kQueryBlock * 16 + int64_t{kQueryBlock} * (kTileTokens + stride);
  Scratch scratch{AlignedBuffer(floats * sizeof(float)), nullptr, nullptr, {}};
  scratch.head = reinterpret_cast<float*>(scratch.memory.data());
  scratch.packed = scratch.head + stride;
  scratch.state.max = scratch.packed + packed;
  scratch.state.sum = scratch.state.max + kQueryBlock * 16;
  scratch.state.acc = scratch.state.sum + kQueryBlock * kTileTokens;
  return scratch;
}

void CpuAttention::Plan(const Batch& batch, KvCache* cache, const MemoryTiles* memory) {
  cache_ = cache;
  memory_ = memory;
  sequences_.clear();
  items_.clear();
  int64_t row = 0;
  for (const BatchSequence& sequence : batch.sequences) {
    sequences_.push_back({&sequence, row});
    row += sequence.tokens.size();
  }
  // Longest context first; within a sequence and head, last rows first.
  std::sort(sequences_.begin(), sequences_.end(), [](const Sequence& a, const Sequence& b) {
    const size_t a_end = a.batch->first_position + a.batch->tokens.size();
    const size_t b_end = b.batch->first_position + b.batch->tokens.size();
    return a_end != b_end ? a_end > b_end : a.first_row < b.first_row;
  });
  one_item_per_head_ = true;
  for (size_t i = 0; i < sequences_.size(); ++i) {
    const int queries = static_cast<int>(sequences_[i].batch->tokens.size()) * group_;
    const int blocks = static_cast<int>(DivideUp(queries, kQueryBlock));
    one_item_per_head_ &= blocks == 1;
    for (int kv_head = 0; kv_head < shape_.kv_heads; ++kv_head) {
      for (int block = blocks - 1; block >= 0; --block) {
        const int begin = block * kQueryBlock;
        items_.push_back(
            {static_cast<int32_t>(i), kv_head, begin, std::min(kQueryBlock, queries - begin)});
      }
    }
  }
}

void CpuAttention::Run(int layer, const float* qkv, const RopeAngles& angles, float* out) {
  const LayerInput input = {layer, qkv, &angles, out};
  const int kv_heads = shape_.kv_heads;
  if (!one_item_per_head_) {
    next_.store(0, std::memory_order_relaxed);
    const int64_t heads = static_cast<int64_t>(sequences_.size()) * kv_heads;
    pool_.Run([&](int part, int) {
      for (;;) {
        const int64_t i = next_.fetch_add(1, std::memory_order_relaxed);
        if (i >= heads) return;
        StoreKeysAndValues(input, sequences_[i / kv_heads], static_cast<int>(i % kv_heads),
                           scratch_[part]);
      }
    });
  }
  next_.store(0, std::memory_order_relaxed);
  pool_.Run([&](int part, int) {
    for (;;) {
      const int64_t i = next_.fetch_add(1, std::memory_order_relaxed);
      if (i >= static_cast<int64_t>(items_.size())) return;
      const Item& item = items_[i];
      if (one_item_per_head_) {
        StoreKeysAndValues(input, sequences_[item.sequence], item.kv_head, scratch_[part]);
      }
      Attend(input, item, scratch_[part]);
    }
  });
}

void CpuAttention::StoreKeysAndValues(const LayerInput& input, const Sequence& sequence,
                                      int kv_head, Scratch& scratch) {
  const KvShape& shape = cache_->shape();
  const int64_t kv_width = int64_t{shape.kv_heads} * shape.head_dim;
  const int64_t q_width = int64_t{heads_} * shape.head_dim;
  const int64_t stride = q_width + 2 * kv_width;
  const int64_t rows = sequence.batch->tokens.size();
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t row = sequence.first_row + i;
    const float* key = input.qkv + row * stride + q_width + int64_t{kv_head} * shape.head_dim;
    kernels_.rotate(key, input.angles->cosines(row), input.angles->sines(row), input.angles->half(),
                    1.0f, scratch.head);
    const int64_t position = sequence.batch->first_position + i;
    cache_->Write(input.layer, sequence.batch->block_table[position / shape.block_tokens], kv_head,
                  static_cast<int>(position % shape.block_tokens), scratch.head, key + kv_width);
  }
}

void CpuAttention::Attend(const LayerInput& input, const Item& item, Scratch& scratch) {
  const KvShape& shape = cache_->shape();
  const int head_dim = shape.head_dim;
  const int64_t q_width = int64_t{heads_} * head_dim;
  const int64_t stride = q_width + 2 * int64_t{shape.kv_heads} * head_dim;
  const int64_t first_row = sequences_[item.sequence].first_row;
  // Query heads of one KV head are neighbours: query i of the item is row i / group, head
  // i % group of the group.
  const auto row_of = [&](int i) { return first_row + (item.query_begin + i) / group_; };
  const auto head_of = [&](int i) {
    return int64_t{item.kv_head} * group_ + (item.query_begin + i) % group_;
  };
  const auto query_of = [&](int i) {
    return input.qkv + row_of(i) * stride + head_of(i) * head_dim;
  };
  const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
  for (int i = 0; i < item.count; ++i) {
    // Rows lie far apart: no hardware prefetcher sees the next one coming.
    if (i + group_ < item.count) Prefetch(query_of(i + group_), head_dim);
    const int64_t row = row_of(i);
    kernels_.rotate(query_of(i), input.angles->cosines(row), input.angles->sines(row),
                    input.angles->half(), scale, scratch.head);
    PackQuery(scratch.head, i, head_dim, scratch.packed);
  }
  kernels_.reset_state(item.count, head_dim, scratch.state);
  if (sequences_[item.sequence].batch->use_memory) FoldMemories(input, item, scratch);
  FoldContext(input, item, scratch);
  for (int i = 0; i < item.count; ++i) {
    kernels_.finish(scratch.state, i, head_dim,
                    input.out + row_of(i) * q_width + head_of(i) * head_dim);
  }
}

void CpuAttention::FoldMemories(const LayerInput& input, const Item& item, Scratch& scratch) {
  const BatchSequence& sequence = *sequences_[item.sequence].batch;
  TileRun run;
  const Range all = {0, item.count};
  AddBlock(memory_->prefix(), input.layer, 0, memory_->prefix_tokens(), item, all, run, scratch);
  FoldRun(item, all, run, scratch);
  const int memory_layer = memory_->memory_layer(input.layer);
  if (memory_layer < 0) return;
  const auto query_of_row = [&](int64_t row) {
    return std::clamp<int64_t>(row * group_ - item.query_begin, 0, item.count);
  };
  for (size_t i = 0; i < sequence.memories.size(); ++i) {
    const bool last = i + 1 == sequence.memories.size();
    const int64_t end_row =
        last ? static_cast<int64_t>(sequence.tokens.size()) : sequence.memories[i + 1].first_row;
    const Range queries = {query_of_row(sequence.memories[i].first_row), query_of_row(end_row)};
    if (queries.begin == queries.end) continue;
    for (const MemorySlot slot : sequence.memories[i].slots) {
      AddBlock(memory_->slot_cache(), memory_layer, slot, memory_->slot_tokens(slot), item, queries,
               run, scratch);
    }
    // Sets begin with a run of their own: a row's bits depend on its own set alone.
    FoldRun(item, queries, run, scratch);
  }
}

void CpuAttention::AddBlock(const KvCache& cache, int layer, int block, int tokens,
                            const Item& item, const Range& queries, TileRun& run,
                            Scratch& scratch) {
  for (int begin = 0; begin < tokens; begin += kTileTokens) {
    if (run.count == kFoldTiles) FoldRun(item, queries, run, scratch);
    KeyValueTile& tile = run.tiles[run.count++];
    tile = cache.Tile(layer, block, item.kv_head, begin / kTileTokens);
    tile.tokens = std::min(kTileTokens, tokens - begin);
  }
}

void CpuAttention::FoldRun(const Item& item, const Range& queries, TileRun& run, Scratch& scratch) {
  if (run.count == 0) return;
  const auto fold = shape_.dtype == DType::kF32 ? kernels_.fold_f32 : kernels_.fold_bf16;
  int visible[kQueryBlock];
  for (int i = 0; i < item.count; ++i) {
    const bool sees = i >= queries.begin && i < queries.end;
    visible[i] = sees ? run.count * kTileTokens : 0;
  }
  fold(scratch.packed, item.count, shape_.head_dim, run.tiles, visible, scratch.state);
  run.count = 0;
}

void CpuAttention::FoldContext(const LayerInput& input, const Item& item, Scratch& scratch) {
  const KvShape& shape = cache_->shape();
  const BatchSequence& sequence = *sequences_[item.sequence].batch;
  const auto fold = shape.dtype == DType::kF32 ? kernels_.fold_f32 : kernels_.fold_bf16;
  const auto context_of = [&](int i) {  // tokens query i sees
    return sequence.first_position + (item.query_begin + i) / group_ + 1;
  };
  const int context = context_of(item.count - 1);
  for (int begin = 0; begin < context; begin += kFoldTokens) {
    KeyValueTile tiles[kFoldTiles];
    for (int t = 0; t < kFoldTiles && begin + t * kTileTokens < context; ++t) {
      const int position = begin + t * kTileTokens;
      tiles[t] = cache_->Tile(input.layer, sequence.block_table[position / shape.block_tokens],
                              item.kv_head, position % shape.block_tokens / kTileTokens);
    }
    int visible[kQueryBlock];
    for (int i = 0; i < item.count; ++i) {
      visible[i] = std::clamp(context_of(i) - begin, 0, kFoldTokens);
    }
    fold(scratch.packed, item.count, shape.head_dim, tiles, visible, scratch.state);
  }
}

}  // namespace memory3
