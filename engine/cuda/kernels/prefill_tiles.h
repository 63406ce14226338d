// Prefill attention of bf16 heads on tensor cores (flash attention). Device code and its launch.
//
// One block computes a tile of queries, rows times the heads of one KV head's group, and walks over
// its keys in tiles: prefix and memories first, then the context from its begin. The next tile of
// keys is copied to shared memory while this one is multiplied.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_PREFILL_TILES_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_PREFILL_TILES_H_

#include <cstdint>

#include "engine/cuda/kernels/attention.h"

namespace memory3::cuda {

// Rows times heads of the group, of a tile.
constexpr int32_t TileQueries(int32_t head_dim) { return head_dim <= 128 ? 128 : 64; }

// False, and nothing launched, for heads that it does not take.
bool LaunchPrefillTiles(Stream& stream, const AttentionArgs<BFloat16>& args,
                        const PrefillTile* tiles, int32_t tile_count);

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_PREFILL_TILES_H_
