#include <algorithm>
#include <type_traits>

#include "engine/cuda/kernels/attention.h"
#include "engine/cuda/kernels/plain_attention.h"
#include "engine/cuda/kernels/prefill_tiles.h"
#include "engine/cuda/kernels/row_keys.h"
#include "engine/cuda/platform/kernel.h"
#include "engine/cuda/platform/launch.h"

namespace memory3::cuda {
namespace {

// Grid: (tiles * tile_rows, kv_heads): a block per row.
template <typename T>
M3_KERNEL void M3_LAUNCH_BOUNDS(kPlainThreads)
    PlainPrefillKernel(AttentionArgs<T> args, const PrefillTile* tiles, int32_t tile_rows) {
  const PrefillTile tile = tiles[static_cast<int32_t>(blockIdx.x) / tile_rows];
  const int32_t row_of_tile = static_cast<int32_t>(blockIdx.x) % tile_rows;
  if (row_of_tile >= tile.rows) return;
  const int32_t row = tile.first_row + row_of_tile;
  const auto kv_head = static_cast<int32_t>(blockIdx.y);
  const RowKeys<T> keys(args, row, kv_head);
  const int32_t group = args.shape.group();
  const PlainState state(group, args.shape.head_dim, SharedMemory<float>());
  const int64_t at = (int64_t{row} * args.shape.heads + kv_head * group) * args.shape.head_dim;
  LoadQueries(args.queries + at, state);
  Reset(state);
  FoldMemory(state, keys);
  FoldContext(state, keys, 0, keys.visible());
  StoreResult(state, args.out + at);
}

}  // namespace

int32_t PrefillTileRows(const AttentionShape& shape) {
  return std::max(1, TileQueries(shape.head_dim) / shape.group());
}

template <typename T>
void PrefillAttention(Stream& stream, const AttentionArgs<T>& args, const PrefillTile* tiles,
                      int32_t tile_count) {
  if (tile_count == 0) return;
  if constexpr (std::is_same_v<T, BFloat16>) {
    if (LaunchPrefillTiles(stream, args, tiles, tile_count)) return;
  }
  const int32_t tile_rows = PrefillTileRows(args.shape);
  const int64_t floats = PlainState::Floats(args.shape.group(), args.shape.head_dim);
  const LaunchShape shape = {.grid = {static_cast<uint32_t>(tile_count * tile_rows),
                                      static_cast<uint32_t>(args.shape.kv_heads)},
                             .threads = kPlainThreads,
                             .shared_bytes = static_cast<int>(floats * sizeof(float))};
  Launch(stream, shape, PlainPrefillKernel<T>, args, tiles, tile_rows);
}

template void PrefillAttention(Stream&, const AttentionArgs<float>&, const PrefillTile*, int32_t);
template void PrefillAttention(Stream&, const AttentionArgs<BFloat16>&, const PrefillTile*,
                               int32_t);

}  // namespace memory3::cuda
