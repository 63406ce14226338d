// Shapes of prefill attention on tensor cores, and the copy of its operands to shared memory.
// Device code.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_PREFILL_KEY_TILES_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_PREFILL_KEY_TILES_H_

#include <cstdint>

#include "engine/cuda/kernels/prefill_tiles.h"
#include "engine/cuda/kernels/row_keys.h"
#include "engine/cuda/platform/kernel.h"
#include "engine/cuda/platform/tensor_core.h"

namespace memory3::cuda {

inline constexpr int kPrefillWarps = 4;
inline constexpr int kPrefillThreads = kPrefillWarps * kWarpSize;

// Chosen such that accumulators and scores of a warp stay in registers, and that two blocks fit on
// a multiprocessor, queries and two stages of keys and values in shared memory, up to 128
// dimensions.
template <int kHeadDim>
struct PrefillShape {
  static constexpr int kWarpQueries = TileQueries(kHeadDim) / kPrefillWarps;
  static constexpr int kQueryTiles = kWarpQueries / 16;
  static constexpr int kKeys = kHeadDim <= 80 ? 64 : 32;  // of a tile
  static constexpr int kChunks = kHeadDim / 8;            // of 16 bytes, of a row
  // Of a row in shared memory. The 16 bytes behind each let eight neighbouring rows lie in
  // different banks, for every head size.
  static constexpr int kStride = kHeadDim + 8;

  static constexpr int kSharedBytes =
      (TileQueries(kHeadDim) + 4 * kKeys) * kStride * static_cast<int>(sizeof(BFloat16));
  static_assert(kSharedBytes <= 99 * 1024, "more than a block may have on sm_86 and sm_89");
};

// What a block keeps in shared memory.
template <int kHeadDim>
struct PrefillShared {
  using Shape = PrefillShape<kHeadDim>;
  static constexpr int kTileElements = Shape::kKeys * Shape::kStride;

  BFloat16* queries;  // (TileQueries, kStride)
  BFloat16* keys;     // (2, kKeys, kStride)
  BFloat16* values;   // (2, kKeys, kStride)

  M3_DEVICE PrefillShared()
      : queries(SharedMemory<BFloat16>()),
        keys(queries + TileQueries(kHeadDim) * Shape::kStride),
        values(keys + 2 * kTileElements) {}

  // Whether a place of a memory tile holds a key; kept in what is unused behind the key's row.
  M3_DEVICE int32_t& present(int stage, int place) const {
    BFloat16* row = keys + stage * kTileElements + place * Shape::kStride;
    return *reinterpret_cast<int32_t*>(row + kHeadDim);
  }
};

// Starts the copy of `count` queries, those of the tile's rows in turn; zeros behind them. `first`:
// the group's first head in the first row, `row_stride` elements apart.
template <int kHeadDim>
M3_DEVICE void CopyQueries(const PrefillShared<kHeadDim>& shared, const BFloat16* first,
                           int64_t row_stride, int32_t group, int32_t count) {
  using Shape = PrefillShape<kHeadDim>;
  constexpr int kAllChunks = TileQueries(kHeadDim) * Shape::kChunks;
  for (auto c = static_cast<int32_t>(threadIdx.x); c < kAllChunks; c += kPrefillThreads) {
    const int32_t query = c / Shape::kChunks;
    const int32_t element = c % Shape::kChunks * 8;
    const bool valid = query < count;
    const int64_t from =
        valid ? query / group * row_stride + query % group * kHeadDim + element : 0;
    CopyAsync16(shared.queries + query * Shape::kStride + element, first + from, valid);
  }
}

// Starts the copy of context tokens [begin, begin + kKeys) of those before `end`; zeros from there
// on. Runs of kAttentionTile tokens lie together, and K and V alike.
template <int kHeadDim>
M3_DEVICE void CopyContextTile(const PrefillShared<kHeadDim>& shared, int stage,
                               const AttentionArgs<BFloat16>& args, const RowKeys<BFloat16>& row,
                               int32_t begin, int32_t end) {
  using Shape = PrefillShape<kHeadDim>;
  constexpr int kRunChunks = kAttentionTile * Shape::kChunks;
  // Every lane looks one run up, in runs from the begin of the cache.
  const int32_t token = begin + Lane() % (Shape::kKeys / kAttentionTile) * kAttentionTile;
  const int32_t run_of_lane = token < end ? row.ContextRun(token) : -1;
  // All lanes of a warp leave the loop together: a tile is a multiple of 32 chunks.
  static_assert(Shape::kKeys * Shape::kChunks % kWarpSize == 0);
  for (auto c = static_cast<int32_t>(threadIdx.x); c < Shape::kKeys * Shape::kChunks;
       c += kPrefillThreads) {
    const int32_t run = __shfl_sync(kFullWarp, run_of_lane, c / kRunChunks);
    const int32_t key = c / Shape::kChunks;
    const bool valid = begin + key < end;
    const int64_t from = valid ? (int64_t{run} * kRunChunks + c % kRunChunks) * 8 : 0;
    const int32_t to = stage * PrefillShared<kHeadDim>::kTileElements + key * Shape::kStride +
                       c % Shape::kChunks * 8;
    CopyAsync16(shared.keys + to, args.context.keys + from, valid);
    CopyAsync16(shared.values + to, args.context.values + from, valid);
  }
}

// Starts the copy of memory places [begin, begin + kKeys); zeros where there is no key.
template <int kHeadDim>
M3_DEVICE void CopyMemoryTile(const PrefillShared<kHeadDim>& shared, int stage,
                              const AttentionArgs<BFloat16>& args, const RowKeys<BFloat16>& row,
                              int32_t begin) {
  using Shape = PrefillShape<kHeadDim>;
  for (auto c = static_cast<int32_t>(threadIdx.x); c < Shape::kKeys * Shape::kChunks;
       c += kPrefillThreads) {
    const int32_t place = c / Shape::kChunks;
    const int32_t element = c % Shape::kChunks * 8;
    KeyValue<BFloat16> from;
    if (begin + place < row.memory_places()) from = row.Memory(begin + place);
    const bool valid = from.key != nullptr;
    const int32_t to =
        stage * PrefillShared<kHeadDim>::kTileElements + place * Shape::kStride + element;
    CopyAsync16(shared.keys + to, valid ? from.key + element : args.queries, valid);
    CopyAsync16(shared.values + to, valid ? from.value + element : args.queries, valid);
    if (element == 0) shared.present(stage, place) = valid ? 1 : 0;
  }
}

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_PREFILL_KEY_TILES_H_
