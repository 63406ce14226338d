#include "engine/cuda/kernels/prefill_key_tiles.h"
#include "engine/cuda/kernels/prefill_tiles.h"
#include "engine/cuda/kernels/row_keys.h"
#include "engine/cuda/kernels/softmax_numbers.h"
#include "engine/cuda/kernels/tile_head_dims.h"
#include "engine/cuda/platform/kernel.h"
#include "engine/cuda/platform/launch.h"
#include "engine/cuda/platform/pack.h"
#include "engine/cuda/platform/tensor_core.h"

namespace memory3::cuda {
namespace {

// The softmax of a warp's queries. Of every 16 of them a lane holds rows g and g + 8, g = lane / 4,
// and of every eight keys or dimensions 2p and 2p + 1, p = lane % 4.
template <int kHeadDim>
struct WarpQueries {
  using Shape = PrefillShape<kHeadDim>;
  static constexpr int kQueryTiles = Shape::kQueryTiles;
  static constexpr int kKeyTiles = Shape::kKeys / 8;
  static constexpr int kProducts = kHeadDim / 16;
  using Scores = float[kQueryTiles][kKeyTiles][4];

  float acc[kQueryTiles][2 * kProducts][4];
  float max[kQueryTiles][2];  // of scores that are not scaled yet
  float sum[kQueryTiles][2];  // of the lane's own keys
  int32_t visible[kQueryTiles][2];

  // Which of the block's queries.
  M3_DEVICE static int32_t Query(int t, int h) {
    return Warp() * Shape::kWarpQueries + 16 * t + Lane() / 4 + 8 * h;
  }

  // `tile_visible`: of the tile's rows.
  M3_DEVICE void Reset(const int32_t* tile_visible, int32_t group, int32_t count) {
    M3_UNROLL
    for (int t = 0; t < kQueryTiles; ++t) {
      M3_UNROLL
      for (int i = 0; i < 8 * kProducts; ++i) acc[t][i / 4][i % 4] = 0;
      M3_UNROLL
      for (int h = 0; h < 2; ++h) {
        max[t][h] = kNoMaximum;
        sum[t][h] = 0;
        visible[t][h] = Query(t, h) < count ? tile_visible[Query(t, h) / group] : 0;
      }
    }
  }

  // Address of the 16 bytes that this lane names to LoadTiles for a 16x16 tile at (row, column):
  // tiles in the order (0, 0), (8, 0), (0, 8), (8, 8), or with kRowsLast (0, 0), (0, 8) ...
  template <bool kRowsLast>
  M3_DEVICE static const BFloat16* TileRow(const BFloat16* from, int row, int column) {
    const int tile = Lane() / 8;
    const int down = kRowsLast ? tile / 2 : tile % 2;
    const int right = kRowsLast ? tile % 2 : tile / 2;
    return from + (row + 8 * down + Lane() % 8) * Shape::kStride + column + 8 * right;
  }

  M3_DEVICE void Score(const BFloat16* queries, const BFloat16* keys, Scores& scores) const {
    M3_UNROLL
    for (int i = 0; i < kQueryTiles * kKeyTiles * 4; ++i) {
      scores[i / (kKeyTiles * 4)][i / 4 % kKeyTiles][i % 4] = 0;
    }
    M3_UNROLL
    for (int k = 0; k < kProducts; ++k) {
      uint32_t a[kQueryTiles][4];
      M3_UNROLL
      for (int t = 0; t < kQueryTiles; ++t) {
        LoadTiles(a[t], TileRow<false>(queries, Warp() * Shape::kWarpQueries + 16 * t, 16 * k));
      }
      M3_UNROLL
      for (int n = 0; n < kKeyTiles; n += 2) {
        uint32_t b[4];
        LoadTiles(b, TileRow<true>(keys, 8 * n, 16 * k));
        M3_UNROLL
        for (int t = 0; t < kQueryTiles; ++t) {
          MmaBf16(scores[t][n], a[t], {b[0], b[1]});
          MmaBf16(scores[t][n + 1], a[t], {b[2], b[3]});
        }
      }
    }
  }

  // Keys of the tile that begins at context token `begin` are seen up to each query's own.
  M3_DEVICE void MaskContext(int32_t begin, Scores& scores) const {
    ForEachScore([&](int t, int n, int i) {
      const int32_t token = begin + 8 * n + 2 * (Lane() % 4) + i % 2;
      if (token >= visible[t][i / 2]) scores[t][n][i] = kNoScore;
    });
  }
  M3_DEVICE void MaskMemory(const PrefillShared<kHeadDim>& shared, int stage,
                            Scores& scores) const {
    ForEachScore([&](int t, int n, int i) {
      const int place = 8 * n + 2 * (Lane() % 4) + i % 2;
      if (shared.present(stage, place) == 0) scores[t][n][i] = kNoScore;
    });
  }
  template <typename Use>
  M3_DEVICE void ForEachScore(Use use) const {
    M3_UNROLL
    for (int t = 0; t < kQueryTiles; ++t) {
      M3_UNROLL
      for (int n = 0; n < kKeyTiles; ++n) {
        M3_UNROLL
        for (int i = 0; i < 4; ++i) use(t, n, i);
      }
    }
  }

  // Turns scores into weights and brings maxima, sums and accumulators up to date. A tile that a
  // query sees nothing of leaves its numbers exactly as they are.
  M3_DEVICE void Weigh(Scores& scores) {
    const float scale = ScoreScale(kHeadDim);
    M3_UNROLL
    for (int t = 0; t < kQueryTiles; ++t) {
      M3_UNROLL
      for (int h = 0; h < 2; ++h) {
        float largest = max[t][h];
        M3_UNROLL
        for (int n = 0; n < kKeyTiles; ++n) {
          largest = fmaxf(largest, fmaxf(scores[t][n][2 * h], scores[t][n][2 * h + 1]));
        }
        largest = fmaxf(largest, __shfl_xor_sync(kFullWarp, largest, 1));
        largest = fmaxf(largest, __shfl_xor_sync(kFullWarp, largest, 2));
        const float factor = Exp2((max[t][h] - largest) * scale);
        max[t][h] = largest;
        sum[t][h] *= factor;
        const float shift = largest * scale;
        M3_UNROLL
        for (int n = 0; n < kKeyTiles; ++n) {
          M3_UNROLL
          for (int i = 2 * h; i < 2 * h + 2; ++i) {
            scores[t][n][i] = Exp2(fmaf(scores[t][n][i], scale, -shift));
            sum[t][h] += scores[t][n][i];
          }
        }
        M3_UNROLL
        for (int n = 0; n < 2 * kProducts; ++n) {
          acc[t][n][2 * h] *= factor;
          acc[t][n][2 * h + 1] *= factor;
        }
      }
    }
  }

  M3_DEVICE void AddValues(const Scores& weights, const BFloat16* values) {
    M3_UNROLL
    for (int k = 0; k < kKeyTiles; k += 2) {
      uint32_t a[kQueryTiles][4];
      M3_UNROLL
      for (int t = 0; t < kQueryTiles; ++t) {
        M3_UNROLL
        for (int i = 0; i < 4; ++i) {
          const float* pair = weights[t][k + i / 2] + i % 2 * 2;
          a[t][i] = PackBf16(pair[0], pair[1]);
        }
      }
      M3_UNROLL
      for (int n = 0; n < kProducts; ++n) {
        uint32_t b[4];
        LoadTiles<true>(b, TileRow<false>(values, 8 * k, 16 * n));
        M3_UNROLL
        for (int t = 0; t < kQueryTiles; ++t) {
          MmaBf16(acc[t][2 * n], a[t], {b[0], b[1]});
          MmaBf16(acc[t][2 * n + 1], a[t], {b[2], b[3]});
        }
      }
    }
  }

  // `out`: as CopyQueries's `first`.
  M3_DEVICE void Store(BFloat16* out, int64_t row_stride, int32_t group, int32_t count) const {
    M3_UNROLL
    for (int t = 0; t < kQueryTiles; ++t) {
      M3_UNROLL
      for (int h = 0; h < 2; ++h) {
        float total = sum[t][h];
        total += __shfl_xor_sync(kFullWarp, total, 1);
        total += __shfl_xor_sync(kFullWarp, total, 2);
        const float scale = 1.0f / total;
        const int32_t query = Query(t, h);
        if (query >= count) continue;
        BFloat16* to = out + query / group * row_stride + query % group * kHeadDim;
        M3_UNROLL
        for (int n = 0; n < 2 * kProducts; ++n) {
          const float* pair = acc[t][n] + 2 * h;
          const Pack<uint32_t, 1> packed = {{PackBf16(pair[0] * scale, pair[1] * scale)}};
          StorePack(reinterpret_cast<uint32_t*>(to + 8 * n + 2 * (Lane() % 4)), packed);
        }
      }
    }
  }
};

// The keys of a tile of rows: memory tiles, then context tiles up to what its last row sees.
template <int kHeadDim>
class KeyTiles {
 public:
  using Shape = PrefillShape<kHeadDim>;

  M3_DEVICE KeyTiles(const AttentionArgs<BFloat16>& args, const PrefillShared<kHeadDim>& shared,
                     int32_t last_row, int32_t kv_head)
      : args_(args),
        shared_(shared),
        row_(args, last_row, kv_head),
        memory_tiles_((row_.memory_places() + Shape::kKeys - 1) / Shape::kKeys) {}

  M3_DEVICE int32_t count() const {
    return memory_tiles_ + (row_.visible() + Shape::kKeys - 1) / Shape::kKeys;
  }
  M3_DEVICE bool IsMemory(int32_t tile) const { return tile < memory_tiles_; }
  // First context token, or place of memory.
  M3_DEVICE int32_t Begin(int32_t tile) const {
    return (tile - (IsMemory(tile) ? 0 : memory_tiles_)) * Shape::kKeys;
  }
  M3_DEVICE void Copy(int32_t tile) const {
    const int stage = tile % 2;
    if (IsMemory(tile)) {
      CopyMemoryTile<kHeadDim>(shared_, stage, args_, row_, Begin(tile));
    } else {
      CopyContextTile<kHeadDim>(shared_, stage, args_, row_, Begin(tile), row_.visible());
    }
  }

 private:
  const AttentionArgs<BFloat16>& args_;
  const PrefillShared<kHeadDim>& shared_;
  const RowKeys<BFloat16> row_;
  const int32_t memory_tiles_;
};

// Grid: (kv_heads, tiles). The last tiles begin first: of a prompt they see most keys.
template <int kHeadDim>
M3_KERNEL void M3_LAUNCH_BOUNDS(kPrefillThreads)
    PrefillTilesKernel(AttentionArgs<BFloat16> args, const PrefillTile* tiles) {
  using Shape = PrefillShape<kHeadDim>;
  using Shared = PrefillShared<kHeadDim>;
  const PrefillTile tile = tiles[gridDim.y - 1 - blockIdx.y];
  const auto kv_head = static_cast<int32_t>(blockIdx.x);
  const int32_t group = args.shape.group();
  const int32_t count = tile.rows * group;
  const int64_t row_stride = int64_t{args.shape.heads} * kHeadDim;
  const int64_t first = tile.first_row * row_stride + int64_t{kv_head} * group * kHeadDim;

  const Shared shared;
  const KeyTiles<kHeadDim> keys(args, shared, tile.first_row + tile.rows - 1, kv_head);
  CopyQueries<kHeadDim>(shared, args.queries + first, row_stride, group, count);
  keys.Copy(0);
  CommitCopies();
  const int32_t* visible = args.rows.visible + tile.first_row;
  WarpQueries<kHeadDim> warp;
  warp.Reset(visible, group, count);
  const bool warp_has_queries = Warp() * Shape::kWarpQueries < count;
  for (int32_t i = 0; i < keys.count(); ++i) {
    WaitCopies<0>();
    __syncthreads();
    if (i + 1 < keys.count()) keys.Copy(i + 1);
    CommitCopies();
    if (!warp_has_queries) continue;
    const int stage = i % 2;
    typename WarpQueries<kHeadDim>::Scores scores;
    warp.Score(shared.queries, shared.keys + stage * Shared::kTileElements, scores);
    if (keys.IsMemory(i)) {
      warp.MaskMemory(shared, stage, scores);
    } else if (keys.Begin(i) + Shape::kKeys > visible[0]) {
      warp.MaskContext(keys.Begin(i), scores);
    }
    warp.Weigh(scores);
    warp.AddValues(scores, shared.values + stage * Shared::kTileElements);
  }
  warp.Store(args.out + first, row_stride, group, count);
}

template <int kHeadDim>
void LaunchHeadDim(Stream& stream, const AttentionArgs<BFloat16>& args, const PrefillTile* tiles,
                   int32_t tile_count) {
  const LaunchShape shape = {
      .grid = {static_cast<uint32_t>(args.shape.kv_heads), static_cast<uint32_t>(tile_count)},
      .threads = kPrefillThreads,
      .shared_bytes = PrefillShape<kHeadDim>::kSharedBytes};
  Launch(stream, shape, PrefillTilesKernel<kHeadDim>, args, tiles);
}

}  // namespace

bool LaunchPrefillTiles(Stream& stream, const AttentionArgs<BFloat16>& args,
                        const PrefillTile* tiles, int32_t tile_count) {
  if (args.shape.group() > 16) return false;
  return WithTileHeadDim(args.shape.head_dim, [&]<int kHeadDim>() {
    LaunchHeadDim<kHeadDim>(stream, args, tiles, tile_count);
  });
}

}  // namespace memory3::cuda
