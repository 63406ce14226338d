#include "engine/cpu/memory_tiles.h"

#include "engine/base/check.h"

namespace memory3 {
namespace {

int WholeTiles(int tokens) { return (tokens + kTileTokens - 1) / kTileTokens * kTileTokens; }

KvShape PrefixShape(KvShape cache, int prefix_tokens) {
  cache.block_tokens = WholeTiles(prefix_tokens);
  return cache;
}

KvShape SlotShape(KvShape cache, const MemoryShape& shape) {
  cache.layers = shape.layers;
  cache.block_tokens = WholeTiles(shape.kept_tokens);
  return cache;
}

}  // namespace

MemoryTiles::MemoryTiles(const KvShape& cache, const MemoryShape& shape,
                         const std::vector<int>& layers, int prefix_tokens, int slots)
    : shape_(shape),
      prefix_tokens_(prefix_tokens),
      prefix_(PrefixShape(cache, prefix_tokens), 1),
      slots_(SlotShape(cache, shape), slots),
      memory_layer_(cache.layers, -1),
      slot_tokens_(slots, 0) {
  M3_CHECK(static_cast<int>(layers.size()) == shape.layers);
  for (size_t i = 0; i < layers.size(); ++i) memory_layer_[layers[i]] = static_cast<int>(i);
}

int64_t MemoryTiles::EstimateBytes(const KvShape& cache, const MemoryShape& shape,
                                   int prefix_tokens, int slots) {
  return PrefixShape(cache, prefix_tokens).block_bytes() +
         SlotShape(cache, shape).block_bytes() * slots;
}

void MemoryTiles::Fill(MemorySlot slot, const MemoryTensor& memory) {
  M3_CHECK(memory.shape == shape_ && slot >= 0 && slot < slots());
  M3_CHECK(memory.tokens >= 1 && memory.tokens <= shape_.kept_tokens);
  const int64_t head_bytes =  // keys of one KV head
      int64_t{shape_.kept_tokens} * shape_.head_dim * SizeOf(shape_.dtype);
  const int64_t to_values = shape_.kv_heads * head_bytes;  // from keys to values of a layer
  for (int layer = 0; layer < shape_.layers; ++layer) {
    const uint8_t* keys = memory.bytes.data() + layer * 2 * to_values;
    for (int kv_head = 0; kv_head < shape_.kv_heads; ++kv_head, keys += head_bytes) {
      slots_.WriteRun(layer, slot, kv_head, memory.tokens, shape_.dtype, keys, keys + to_values);
    }
  }
  slot_tokens_[slot] = memory.tokens;
}

}  // namespace memory3
