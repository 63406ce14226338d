#include "engine/cpu/kv_cache.h"

#include <cstring>

#include "engine/base/bfloat16.h"
#include "engine/base/check.h"

namespace memory3 {
namespace {

void Put(float* out, float x) { *out = x; }
void Put(uint16_t* out, float x) { *out = ToBfloat16(x); }

template <typename T>
void WriteToken(uint8_t* tile, int64_t key_bytes, int head_dim, int lane, const float* key,
                const float* value) {
  T* keys = reinterpret_cast<T*>(tile) + lane;
  T* values = reinterpret_cast<T*>(tile + key_bytes) + int64_t{lane} * ValueStride(head_dim);
  for (int d = 0; d < head_dim; ++d) Put(keys + int64_t{d} * kTileTokens, key[d]);
  for (int d = 0; d < head_dim; ++d) Put(values + d, value[d]);
}

}  // namespace

int64_t KvShape::key_bytes() const { return int64_t{head_dim} * kTileTokens * SizeOf(dtype); }

int64_t KvShape::tile_bytes() const {
  return key_bytes() + int64_t{kTileTokens} * ValueStride(head_dim) * SizeOf(dtype);
}

int64_t KvShape::block_bytes() const {
  return int64_t{layers} * kv_heads * tiles_per_block() * tile_bytes();
}

KvCache::KvCache(const KvShape& shape, int blocks)
    : shape_(shape), blocks_(blocks), data_(shape.block_bytes() * blocks) {
  M3_CHECK(shape.block_tokens > 0 && shape.block_tokens % kTileTokens == 0);
  M3_CHECK(shape.dtype == DType::kF32 || shape.dtype == DType::kBF16);
}

uint8_t* KvCache::TileData(int layer, KvBlockId block, int kv_head, int tile) const {
  const int64_t head = (int64_t{layer} * blocks_ + block) * shape_.kv_heads + kv_head;
  return data_.data() + (head * shape_.tiles_per_block() + tile) * shape_.tile_bytes();
}

KeyValueTile KvCache::Tile(int layer, KvBlockId block, int kv_head, int tile) const {
  const uint8_t* data = TileData(layer, block, kv_head, tile);
  return {data, data + shape_.key_bytes()};
}

void KvCache::Write(int layer, KvBlockId block, int kv_head, int offset, const float* key,
                    const float* value) {
  uint8_t* tile = TileData(layer, block, kv_head, offset / kTileTokens);
  const int lane = offset % kTileTokens;
  if (shape_.dtype == DType::kF32) {
    WriteToken<float>(tile, shape_.key_bytes(), shape_.head_dim, lane, key, value);
  } else {
    WriteToken<uint16_t>(tile, shape_.key_bytes(), shape_.head_dim, lane, key, value);
  }
}

}  // namespace memory3
