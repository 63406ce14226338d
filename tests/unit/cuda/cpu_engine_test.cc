// The twins of attention and token selection mean what the CPU engine means: the same inputs
// through both. That the CPU engine is right is shown elsewhere (tests/parity).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>
#include <vector>

#include "engine/base/thread_pool.h"
#include "engine/cpu/attention.h"
#include "engine/cpu/token_selection.h"
#include "engine/cuda/kernels/attention.h"
#include "engine/cuda/kernels/select_tokens.h"

namespace memory3::cuda {
namespace {

constexpr AttentionShape kHeads = {.heads = 6, .kv_heads = 2, .head_dim = 16};
constexpr int kDim = kHeads.head_dim;
constexpr int kStride = (kHeads.heads + 2 * kHeads.kv_heads) * kDim;  // of a row of qkv
constexpr int kRows = 75;                                             // one prompt
constexpr int kBlockTokens = 16;
constexpr int kBlocks = 7;
constexpr int kPrefixTokens = 3;
constexpr int kKeptTokens = 5;
constexpr int kSlots = 4;
constexpr int kMemoriesPerChunk = 3;

std::vector<float> Normal(std::mt19937_64& random, int64_t size) {
  std::normal_distribution<float> normal;
  std::vector<float> values(size);
  for (float& value : values) value = normal(random);
  return values;
}

// One layer in f32: a prompt in shuffled blocks whose rows see one set of slots, then another, then
// none. All positions are 0, where rotation changes nothing.
struct Layer {
  explicit Layer(uint64_t seed) : random(seed) {
    const int64_t token_elements = int64_t{kHeads.kv_heads} * kDim;
    qkv = Normal(random, int64_t{kRows} * kStride);
    prefix_keys = Normal(random, kPrefixTokens * token_elements);
    prefix_values = Normal(random, kPrefixTokens * token_elements);
    memories = Normal(random, kSlots * 2 * kKeptTokens * token_elements);
    std::iota(blocks.begin(), blocks.end(), 0);
    std::shuffle(blocks.begin(), blocks.end(), random);
  }

  std::mt19937_64 random;
  std::vector<float> qkv, prefix_keys, prefix_values, memories;
  std::vector<int32_t> slot_tokens = {kKeptTokens, 2, kKeptTokens, 1};
  std::vector<int32_t> blocks = std::vector<int32_t>(kBlocks);
  // (sets, kMemoriesPerChunk) and the rows that they begin at.
  std::vector<int32_t> set_slots = {2, 1, -1, 0, 3, 2, -1, -1, -1};
  std::vector<int32_t> set_begins = {0, 20, 64};
};

std::vector<float> AttendOnCpu(Layer& layer) {
  const KvShape cache_shape = {1, kHeads.kv_heads, kDim, kBlockTokens, DType::kF32};
  const MemoryShape memory_shape = {1, kHeads.kv_heads, kKeptTokens, kDim, DType::kF32};
  KvCache cache(cache_shape, kBlocks);
  MemoryTiles tiles(cache_shape, memory_shape, {0}, kPrefixTokens, kSlots);
  const auto bytes = [](const std::vector<float>& values, int64_t at) {
    return reinterpret_cast<const uint8_t*>(values.data() + at);
  };
  for (int head = 0; head < kHeads.kv_heads; ++head) {
    const int64_t at = int64_t{head} * kPrefixTokens * kDim;
    tiles.prefix().WriteRun(0, 0, head, kPrefixTokens, DType::kF32, bytes(layer.prefix_keys, at),
                            bytes(layer.prefix_values, at));
  }
  for (int slot = 0; slot < kSlots; ++slot) {
    const auto memory = NewMemoryTensor(memory_shape);
    memory->tokens = layer.slot_tokens[slot];
    std::memcpy(memory->bytes.data(), bytes(layer.memories, slot * memory_shape.layer_elements()),
                memory_shape.bytes());
    tiles.Fill(slot, *memory);
  }
  const std::vector<int32_t> tokens(kRows);
  std::vector<RowMemories> sets;
  for (size_t i = 0; i < layer.set_begins.size(); ++i) {
    const auto slots =
        absl::MakeConstSpan(layer.set_slots).subspan(i * kMemoriesPerChunk, kMemoriesPerChunk);
    const auto end = std::find(slots.begin(), slots.end(), -1);
    sets.push_back({layer.set_begins[i], slots.first(end - slots.begin())});
  }
  const Batch batch = {
      .sequences = {
          {.tokens = tokens, .block_table = layer.blocks, .use_memory = true, .memories = sets}}};
  ModelConfig config;
  config.head_dim = kDim;
  config.rope_theta = 10000;
  RopeAngles angles(config, kRows);
  for (int row = 0; row < kRows; ++row) angles.Set(row, 0);
  ThreadPool pool(2);
  CpuAttention attention({kHeads.heads, kRows, 1}, KernelsFor(CpuIsa::kPortable), &pool,
                         cache_shape);
  attention.Plan(batch, &cache, &tiles);
  std::vector<float> out(int64_t{kRows} * kHeads.heads * kDim);
  attention.Run(0, layer.qkv.data(), angles, out.data());
  return out;
}

std::vector<float> AttendByTwin(Layer& layer) {
  const int64_t q_width = int64_t{kHeads.heads} * kDim;
  std::vector<float> queries;
  std::vector<float> keys(int64_t{kBlocks} * kHeads.kv_heads * kBlockTokens * kDim);
  std::vector<float> values(keys.size());
  std::vector<int32_t> sequence(kRows);
  std::vector<int32_t> visible(kRows);
  std::vector<int32_t> set(kRows);
  for (int row = 0; row < kRows; ++row) {
    const float* from = layer.qkv.data() + int64_t{row} * kStride;
    queries.insert(queries.end(), from, from + q_width);
    for (int64_t head = 0; head < kHeads.kv_heads; ++head) {
      const int64_t block = layer.blocks[row / kBlockTokens];
      const int64_t at =
          ((block * kHeads.kv_heads + head) * kBlockTokens + row % kBlockTokens) * kDim;
      std::copy_n(from + q_width + head * kDim, kDim, keys.begin() + at);
      std::copy_n(from + q_width + (kHeads.kv_heads + head) * kDim, kDim, values.begin() + at);
    }
    visible[row] = row + 1;
    const auto& begins = layer.set_begins;
    set[row] = static_cast<int32_t>(std::upper_bound(begins.begin(), begins.end(), row) -
                                    begins.begin() - 1);
  }
  std::vector<float> out(queries.size());
  AttentionArgs<float> args = {.shape = kHeads, .queries = queries.data(), .out = out.data()};
  args.rows = {.sequence = sequence.data(), .visible = visible.data(), .memory_set = set.data()};
  args.context = {.keys = keys.data(),
                  .values = values.data(),
                  .block_tokens = kBlockTokens,
                  .block_tables = layer.blocks.data(),
                  .max_blocks = kBlocks};
  args.memory = {.prefix_keys = layer.prefix_keys.data(),
                 .prefix_values = layer.prefix_values.data(),
                 .prefix_tokens = kPrefixTokens,
                 .slots = layer.memories.data(),
                 .slot_stride = int64_t{2} * kHeads.kv_heads * kKeptTokens * kDim,
                 .kept_tokens = kKeptTokens,
                 .slot_tokens = layer.slot_tokens.data(),
                 .set_slots = layer.set_slots.data(),
                 .memories_per_chunk = kMemoriesPerChunk};
  twin::Attention(args, 0, kRows);
  return out;
}

TEST(CpuEngineTest, AttendsAlike) {
  Layer layer(1);
  const std::vector<float> cpu = AttendOnCpu(layer);
  const std::vector<float> twin = AttendByTwin(layer);
  ASSERT_EQ(cpu.size(), twin.size());
  for (size_t i = 0; i < cpu.size(); ++i) EXPECT_NEAR(cpu[i], twin[i], 1e-5f) << i;
}

TEST(CpuEngineTest, KeepsTheSameTokens) {
  for (const TokenSelection rule : {TokenSelection::kSoftmaxSum, TokenSelection::kExpSum}) {
    for (const int tokens : {3, kRows}) {
      Layer layer(tokens);
      const ReferenceRows reference = {0, tokens};
      std::vector<int32_t> kept(int64_t{kHeads.kv_heads} * kKeptTokens);
      twin::SelectTokens<float>({.shape = kHeads,
                                 .qkv = layer.qkv.data(),
                                 .references = &reference,
                                 .reference_count = 1,
                                 .max_tokens = tokens,
                                 .rule = rule,
                                 .kept_tokens = kKeptTokens,
                                 .kept = kept.data()});
      TokenSelector selector({kDim, kHeads.group(), kRows, kKeptTokens}, rule,
                             KernelsFor(CpuIsa::kPortable));
      for (int head = 0; head < kHeads.kv_heads; ++head) {
        const absl::Span<const int32_t> cpu =
            selector.Select(layer.qkv.data() + head * kHeads.group() * kDim,
                            layer.qkv.data() + (kHeads.heads + head) * kDim, kStride, tokens);
        std::vector<int32_t> expected(cpu.begin(), cpu.end());
        expected.resize(kKeptTokens, -1);
        const auto begin = kept.begin() + int64_t{head} * kKeptTokens;
        EXPECT_EQ(std::vector<int32_t>(begin, begin + kKeptTokens), expected);
      }
    }
  }
}

}  // namespace
}  // namespace memory3::cuda
