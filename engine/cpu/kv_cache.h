// The paged KV cache of the CPU runner, laid out for its attention kernel.
//
// (layers, blocks, kv_heads, tiles per block, tile), where a tile holds 16 tokens of one KV head:
// first their keys as (head_dim, 16), then their values as (16, value_stride); see kernels.h. Keys
// and values of one block and head are contiguous: a decoding row reads whole runs of memory.
// Blocks are whole tiles.
//
// Thread safety: writes to different (block, kv_head) pairs may run at once.
#ifndef MEMORY3_ENGINE_CPU_KV_CACHE_H_
#define MEMORY3_ENGINE_CPU_KV_CACHE_H_

#include <cstdint>

#include "engine/base/aligned_buffer.h"
#include "engine/cpu/kernels.h"
#include "engine/model/safetensors.h"
#include "engine/runner/batch.h"

namespace memory3 {

struct KvShape {
  int layers = 0;
  int kv_heads = 0;
  int head_dim = 0;
  int block_tokens = 0;        // a multiple of kTileTokens
  DType dtype = DType::kBF16;  // kF32 or kBF16

  int tiles_per_block() const { return block_tokens / kTileTokens; }
  int64_t key_bytes() const;    // keys of one tile
  int64_t tile_bytes() const;   // keys and values of one tile
  int64_t block_bytes() const;  // one block in all layers
};

class KvCache {
 public:
  KvCache(const KvShape& shape, int blocks);

  const KvShape& shape() const { return shape_; }
  int blocks() const { return blocks_; }

  // Tile `tile` of a block, as a full one.
  KeyValueTile Tile(int layer, KvBlockId block, int kv_head, int tile) const;

  // Stores key and value (head_dim floats each, the key after RoPE) of the token at `offset` within
  // the block.
  void Write(int layer, KvBlockId block, int kv_head, int offset, const float* key,
             const float* value);

  // Stores the first `tokens` of a block: keys and values are (tokens, head_dim) of `dtype`, kF32
  // or kBF16.
  void WriteRun(int layer, KvBlockId block, int kv_head, int tokens, DType dtype,
                const uint8_t* keys, const uint8_t* values);

 private:
  uint8_t* TileData(int layer, KvBlockId block, int kv_head, int tile) const;

  const KvShape shape_;
  const int blocks_;
  mutable AlignedBuffer data_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_KV_CACHE_H_
