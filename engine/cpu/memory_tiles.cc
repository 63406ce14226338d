#include "engine/cpu/memory_tiles.h"

#include <algorithm>
#include <cstring>

#include "engine/base/bfloat16.h"
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

void ReadHead(const uint8_t* from, DType dtype, int head_dim, float* out) {
  if (dtype == DType::kF32) {
    std::memcpy(out, from, head_dim * sizeof(float));
    return;
  }
  const auto* values = reinterpret_cast<const uint16_t*>(from);
  for (int i = 0; i < head_dim; ++i) out[i] = FromBfloat16(values[i]);
}

}  // namespace

MemoryTiles::MemoryTiles(const KvShape& cache, const MemoryShape& shape,
                         const std::vector<int>& layers, int prefix_tokens, int slots)
    : shape_(shape),
      prefix_tokens_(prefix_tokens),
      prefix_(PrefixShape(cache, prefix_tokens), 1),
      slots_(SlotShape(cache, shape), slots),
      memory_layer_(cache.layers, -1),
      slot_tokens_(slots, 0),
      head_(2 * int64_t{shape.head_dim}) {
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
  const int64_t head_bytes = int64_t{shape_.head_dim} * SizeOf(shape_.dtype);
  const int64_t head_set = shape_.kept_tokens * head_bytes;  // of one KV head
  const int64_t values = shape_.kv_heads * head_set;         // from keys to values of a layer
  float* key = head_.data();
  float* value = key + shape_.head_dim;
  for (int layer = 0; layer < shape_.layers; ++layer) {
    for (int kv_head = 0; kv_head < shape_.kv_heads; ++kv_head) {
      const uint8_t* keys = memory.bytes.data() + layer * 2 * values + kv_head * head_set;
      for (int token = 0; token < memory.tokens; ++token) {
        ReadHead(keys + token * head_bytes, shape_.dtype, shape_.head_dim, key);
        ReadHead(keys + values + token * head_bytes, shape_.dtype, shape_.head_dim, value);
        slots_.Write(layer, slot, kv_head, token, key, value);
      }
    }
  }
  slot_tokens_[slot] = memory.tokens;
}

}  // namespace memory3
