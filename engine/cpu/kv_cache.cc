#include "engine/cpu/kv_cache.h"

#include <algorithm>

#include "engine/base/bfloat16.h"
#include "engine/base/check.h"

namespace memory3 {
namespace {

void Put(float* out, float x) { *out = x; }
void Put(float* out, uint16_t x) { *out = FromBfloat16(x); }
void Put(uint16_t* out, float x) { *out = ToBfloat16(x); }
void Put(uint16_t* out, uint16_t x) { *out = x; }

template <typename T>
void WriteToken(uint8_t* tile, int64_t key_bytes, int head_dim, int lane, const float* key,
                const float* value) {
  T* keys = reinterpret_cast<T*>(tile) + lane;
  T* values = reinterpret_cast<T*>(tile + key_bytes) + int64_t{lane} * ValueStride(head_dim);
  for (int d = 0; d < head_dim; ++d) Put(keys + int64_t{d} * kTileTokens, key[d]);
  for (int d = 0; d < head_dim; ++d) Put(values + d, value[d]);
}

// Up to a tile's tokens. Dimension by dimension, so that the keys are written in one stream.
template <typename T, typename From>
void WriteTile(uint8_t* tile, int64_t key_bytes, int head_dim, int tokens, const From* keys,
               const From* values) {
  T* key = reinterpret_cast<T*>(tile);
  for (int d = 0; d < head_dim; ++d, key += kTileTokens) {
    for (int t = 0; t < tokens; ++t) Put(key + t, keys[int64_t{t} * head_dim + d]);
  }
  T* value = reinterpret_cast<T*>(tile + key_bytes);
  for (int t = 0; t < tokens; ++t, value += ValueStride(head_dim), values += head_dim) {
    for (int d = 0; d < head_dim; ++d) Put(value + d, values[d]);
  }
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

void KvCache::WriteRun(int layer, KvBlockId block, int kv_head, int tokens, DType dtype,
                       const uint8_t* keys, const uint8_t* values) {
  const auto write = [&]<typename T, typename From>(T, From) {
    for (int first = 0; first < tokens; first += kTileTokens) {
      const int64_t begin = int64_t{first} * shape_.head_dim;
      WriteTile<T>(TileData(layer, block, kv_head, first / kTileTokens), shape_.key_bytes(),
                   shape_.head_dim, std::min(kTileTokens, tokens - first),
                   reinterpret_cast<const From*>(keys) + begin,
                   reinterpret_cast<const From*>(values) + begin);
    }
  };
  const bool to_floats = shape_.dtype == DType::kF32, from_floats = dtype == DType::kF32;
  if (to_floats && from_floats) {
    write(float{}, float{});
  } else if (to_floats) {
    write(float{}, uint16_t{});
  } else if (from_floats) {
    write(uint16_t{}, float{});
  } else {
    write(uint16_t{}, uint16_t{});
  }
}

}  // namespace memory3
