#include "engine/cuda/kernels/decode_fragments.h"
#include "engine/cuda/kernels/decode_tiles.h"
#include "engine/cuda/kernels/row_keys.h"
#include "engine/cuda/kernels/softmax_numbers.h"
#include "engine/cuda/kernels/tile_head_dims.h"
#include "engine/cuda/platform/kernel.h"
#include "engine/cuda/platform/launch.h"
#include "engine/cuda/platform/tensor_core.h"

namespace memory3::cuda {
namespace {

constexpr int kWarps = kDecodePartTokens / kAttentionTile;  // a tile of context each
constexpr int kThreads = kWarps * kWarpSize;
constexpr int kHeadsPerTile = 8;

// What one warp knows of a part: a softmax over its tiles. A lane holds heads 2p and 2p + 1 of
// every tile of heads, p = lane % 4, and of those its share of places or dimensions.
template <int kHeadDim, int kHeadTiles>
struct WarpState {
  static constexpr int kProducts = kHeadDim / 16;

  uint32_t queries[kHeadTiles][kHeadDim / 8];
  float acc[kHeadTiles][kProducts][4];
  float max[kHeadTiles][2];
  float sum[kHeadTiles][2];  // of the lane's own places

  // `first`: (group, head_dim)
  M3_DEVICE void LoadQueries(const BFloat16* first, int32_t group) {
    M3_UNROLL
    for (int t = 0; t < kHeadTiles; ++t) {
      const int32_t head = kHeadsPerTile * t + Lane() / 4;
      LoadDotWordsOrZeros<kHeadDim>(head < group ? first + head * kHeadDim : nullptr, queries[t]);
    }
  }

  M3_DEVICE void Reset() {
    M3_UNROLL
    for (int t = 0; t < kHeadTiles; ++t) {
      M3_UNROLL
      for (int i = 0; i < 4 * kProducts; ++i) acc[t][i / 4][i % 4] = 0;
      M3_UNROLL
      for (int e = 0; e < 2; ++e) {
        max[t][e] = kNoMaximum;
        sum[t][e] = 0;
      }
    }
  }

  M3_DEVICE void FoldTile(const TileRows& rows) {
    uint32_t keys[2][kHeadDim / 8];
    uint32_t values[4][kProducts];
    M3_UNROLL
    for (int i = 0; i < 2; ++i) LoadDotWords<kHeadDim>(rows.keys[i], keys[i]);
    M3_UNROLL
    for (int i = 0; i < 4; ++i) LoadColumnWords<kHeadDim>(rows.values[i], values[i]);
    M3_UNROLL
    for (int t = 0; t < kHeadTiles; ++t) {
      float scores[4];
      Score(keys, rows, t, scores);
      Weigh(scores, t);
      AddValues(values, scores, t);
    }
  }

  // scores: of place g with heads 2p and 2p + 1, then of place g + 8.
  M3_DEVICE void Score(const uint32_t (&keys)[2][kHeadDim / 8], const TileRows& rows, int t,
                       float (&scores)[4]) const {
    M3_UNROLL
    for (int i = 0; i < 4; ++i) scores[i] = 0;
    M3_UNROLL
    for (int k = 0; k < kProducts; ++k) {
      const uint32_t a[4] = {keys[0][2 * k], keys[1][2 * k], keys[0][2 * k + 1],
                             keys[1][2 * k + 1]};
      const uint32_t b[2] = {queries[t][2 * k], queries[t][2 * k + 1]};
      MmaBf16(scores, a, b);
    }
    const float scale = ScoreScale(kHeadDim);
    M3_UNROLL
    for (int i = 0; i < 4; ++i) scores[i] = rows.seen[i / 2] ? scores[i] * scale : kNoScore;
  }

  // Turns scores into weights and brings maximum, sum and accumulator up to date.
  M3_DEVICE void Weigh(float (&scores)[4], int t) {
    M3_UNROLL
    for (int e = 0; e < 2; ++e) {
      float largest = fmaxf(scores[e], scores[e + 2]);
      M3_UNROLL
      for (int offset = 4; offset < kWarpSize; offset *= 2) {
        largest = fmaxf(largest, __shfl_xor_sync(kFullWarp, largest, offset));
      }
      const float new_max = fmaxf(max[t][e], largest);
      const float factor = Exp2(max[t][e] - new_max);
      max[t][e] = new_max;
      scores[e] = Exp2(scores[e] - new_max);
      scores[e + 2] = Exp2(scores[e + 2] - new_max);
      sum[t][e] = sum[t][e] * factor + scores[e] + scores[e + 2];
      M3_UNROLL
      for (int k = 0; k < kProducts; ++k) {
        acc[t][k][e] *= factor;
        acc[t][k][e + 2] *= factor;
      }
    }
  }

  M3_DEVICE void AddValues(const uint32_t (&values)[4][kProducts], const float (&weights)[4],
                           int t) {
    uint32_t b[2];
    TransposeWeights(weights, b);
    M3_UNROLL
    for (int k = 0; k < kProducts; ++k) {
      const uint32_t a[4] = {
          LowerHalves(values[0][k], values[1][k]), UpperHalves(values[0][k], values[1][k]),
          LowerHalves(values[2][k], values[3][k]), UpperHalves(values[2][k], values[3][k])};
      MmaBf16(acc[t][k], a, b);
    }
  }

  // From a lane per (place g, heads 2p..) to a lane per (head g, places 2p..).
  M3_DEVICE static void TransposeWeights(const float (&weights)[4], uint32_t (&b)[2]) {
    const int g = Lane() / 4;
    const int from = 8 * (Lane() % 4) + g / 2;  // holds place 2p, head g among others
    M3_UNROLL
    for (int half = 0; half < 2; ++half) {
      const uint32_t mine = PackBf16(weights[2 * half], weights[2 * half + 1]);
      const uint32_t even_place = __shfl_sync(kFullWarp, mine, from);
      const uint32_t odd_place = __shfl_sync(kFullWarp, mine, from + 4);
      b[half] =
          g % 2 == 0 ? LowerHalves(even_place, odd_place) : UpperHalves(even_place, odd_place);
    }
  }
};

// Where the warps of a block leave their states for their merge: shared memory.
template <int kHeadDim>
struct WarpStates {
  // Odd, so that the lanes of a warp, which hold neighbouring heads, write to different banks.
  static constexpr int kStride = kHeadDim + 1;

  int32_t group;
  float* acc;     // (kWarps, group, kStride)
  float* max;     // (kWarps, group)
  float* sum;     // (kWarps, group)
  float* factor;  // (kWarps, group): what a warp's part of the merged softmax is multiplied by
  float* merged;  // (group, 2): maximum and sum of all warps

  static int64_t Floats(int32_t group) { return int64_t{group} * (kWarps * (kStride + 3) + 2); }
  M3_DEVICE WarpStates(int32_t group_heads, float* shared)
      : group(group_heads),
        acc(shared),
        max(acc + kWarps * group * kStride),
        sum(max + kWarps * group),
        factor(sum + kWarps * group),
        merged(factor + kWarps * group) {}

  template <int kHeadTiles>
  M3_DEVICE void Store(const WarpState<kHeadDim, kHeadTiles>& state) const {
    M3_UNROLL
    for (int t = 0; t < kHeadTiles; ++t) {
      M3_UNROLL
      for (int e = 0; e < 2; ++e) {
        float total = state.sum[t][e];
        M3_UNROLL
        for (int offset = 4; offset < kWarpSize; offset *= 2) {
          total += __shfl_xor_sync(kFullWarp, total, offset);
        }
        const int32_t head = kHeadsPerTile * t + 2 * (Lane() % 4) + e;
        if (head >= group) continue;
        const int32_t at = Warp() * group + head;
        M3_UNROLL
        for (int k = 0; k < kHeadDim / 16; ++k) {
          float* to = acc + at * kStride + ColumnDimension<kHeadDim>(k);
          to[0] = state.acc[t][k][e];
          to[1] = state.acc[t][k][e + 2];
        }
        if (Lane() / 4 != 0) continue;
        max[at] = state.max[t][e];
        sum[at] = total;
      }
    }
  }

  // Once for all elements of a head: a thread per warp and head, the kWarps of a head side by side.
  // Between barriers.
  M3_DEVICE void Weigh(int32_t warps) const {
    static_assert(kWarps == 8);
    const auto thread = static_cast<int32_t>(threadIdx.x);
    const int32_t head = thread / kWarps;
    if (Warp() * (kWarpSize / kWarps) >= group) return;
    const int32_t warp = thread % kWarps;
    const int32_t at = warp * group + head;
    const bool mine = warp < warps && head < group;
    float largest = mine ? max[at] : kNoMaximum;
    const float old = largest;
    M3_UNROLL
    for (int offset = 1; offset < kWarps; offset *= 2) {
      largest = fmaxf(largest, __shfl_xor_sync(kFullWarp, largest, offset));
    }
    const float scale = Exp2(old - largest);
    float total = mine ? scale * sum[at] : 0;
    M3_UNROLL
    for (int offset = 1; offset < kWarps; offset *= 2) {
      total += __shfl_xor_sync(kFullWarp, total, offset);
    }
    if (mine) factor[at] = scale;
    if (warp != 0 || !mine) return;
    merged[2 * head] = largest;
    merged[2 * head + 1] = total;
  }

  M3_DEVICE float Max(int32_t head) const { return merged[2 * head]; }
  M3_DEVICE float Sum(int32_t head) const { return merged[2 * head + 1]; }
  // Dimension d of a head.
  M3_DEVICE float Acc(int32_t head, int32_t d, int32_t warps) const {
    float total = 0;
    const float* scale = factor + head;
    const float* part = acc + head * kStride + d;
    M3_UNROLL_BY(8)
    for (int32_t w = 0; w < warps; ++w) {
      total += *scale * *part;
      scale += group;
      part += group * kStride;
    }
    return total;
  }
};

// The only part of a row.
template <int kHeadDim>
M3_DEVICE void StoreResult(const WarpStates<kHeadDim>& states, int32_t warps, BFloat16* out) {
  for (auto i = static_cast<int32_t>(threadIdx.x); i < states.group * kHeadDim; i += kThreads) {
    const int32_t head = i / kHeadDim;
    const float acc = states.Acc(head, i - head * kHeadDim, warps);
    out[i] = FromFloat<BFloat16>(acc / states.Sum(head));
  }
}

template <int kHeadDim>
M3_DEVICE void StorePart(const WarpStates<kHeadDim>& states, int32_t warps, const DecodeStates& all,
                         float* to) {
  for (auto i = static_cast<int32_t>(threadIdx.x); i < states.group * kHeadDim; i += kThreads) {
    const int32_t head = i / kHeadDim;
    const int32_t d = i - head * kHeadDim;
    to[i] = states.Acc(head, d, warps);
    if (d != 0) continue;
    const DecodeHead state(all, to, head);
    *state.max = states.Max(head);
    *state.sum = states.Sum(head);
  }
}

M3_DEVICE int32_t TilesOf(int32_t places) { return (places + kAttentionTile - 1) / kAttentionTile; }

// Grid: (blocks of a row, kv_heads, rows).
template <int kHeadDim, int kHeadTiles>
M3_KERNEL void M3_LAUNCH_BOUNDS(kThreads)
    DecodeTilesKernel(AttentionArgs<BFloat16> args, DecodeStates states, int32_t first_row) {
  LetNextKernelStart();
  WaitForPreviousKernel();
  const auto row = static_cast<int32_t>(blockIdx.z);
  const auto kv_head = static_cast<int32_t>(blockIdx.y);
  const RowKeys<BFloat16> keys(args, first_row + row, kv_head);
  if (keys.is_padding()) return;
  const int32_t parts = DecodeStates::PartsOf(keys.visible());
  if (static_cast<int32_t>(blockIdx.x) >= parts) return;

  auto* flag = SharedMemory<int32_t>();
  const WarpStates<kHeadDim> warps(states.group, SharedMemory<float>() + 1);
  const int64_t at =
      (int64_t{first_row + row} * args.shape.heads + kv_head * states.group) * kHeadDim;
  WarpState<kHeadDim, kHeadTiles> state;
  state.LoadQueries(args.queries + at, states.group);
  for (auto part = static_cast<int32_t>(blockIdx.x); part < parts;
       part += static_cast<int32_t>(gridDim.x)) {
    const int32_t begin = part * kDecodePartTokens;
    const int32_t left = keys.visible() - begin;
    const int32_t end = begin + (left < kDecodePartTokens ? left : kDecodePartTokens);
    const int32_t memory_tiles = part == 0 ? TilesOf(keys.memory_places()) : 0;
    const int32_t tiles = memory_tiles + TilesOf(end - begin);
    state.Reset();
    for (int32_t tile = Warp(); tile < tiles; tile += kWarps) {
      state.FoldTile(
          tile < memory_tiles
              ? MemoryTile(keys, tile * kAttentionTile, args.queries + at)
              : ContextTile(keys, begin + (tile - memory_tiles) * kAttentionTile, end, kHeadDim));
    }
    const int32_t busy = tiles < kWarps ? tiles : kWarps;
    if (Warp() < busy) warps.Store(state);
    __syncthreads();
    warps.Weigh(busy);
    __syncthreads();
    if (parts == 1) {
      StoreResult(warps, busy, args.out + at);
      return;
    }
    StorePart(warps, busy, states, states.state(row, kv_head, part));
    __syncthreads();
  }
  const auto blocks = static_cast<int32_t>(gridDim.x);
  if (!ArriveLast(states.arrivals + row * states.kv_heads + kv_head,
                  blocks < parts ? blocks : parts, flag)) {
    return;
  }
  StoreMerged(states, row, kv_head, parts, args.out + at);
}

template <int kHeadDim>
void LaunchHeadDim(Stream& stream, const AttentionArgs<BFloat16>& args, const DecodeStates& states,
                   int32_t first_row, const LaunchSize& grid) {
  const int64_t floats = 1 + WarpStates<kHeadDim>::Floats(states.group);
  const LaunchShape shape = {.grid = grid,
                             .threads = kThreads,
                             .shared_bytes = static_cast<int>(floats * sizeof(float)),
                             .overlaps = true};
  const bool few = states.group <= kHeadsPerTile;
  Launch(stream, shape, few ? DecodeTilesKernel<kHeadDim, 1> : DecodeTilesKernel<kHeadDim, 2>, args,
         states, first_row);
}

}  // namespace

bool LaunchDecodeTiles(Stream& stream, const AttentionArgs<BFloat16>& args,
                       const DecodeStates& states, int32_t first_row, int32_t rows,
                       int32_t blocks) {
  if (states.group > 2 * kHeadsPerTile) return false;
  const LaunchSize grid = {static_cast<uint32_t>(blocks), static_cast<uint32_t>(states.kv_heads),
                           static_cast<uint32_t>(rows)};
  return WithTileHeadDim(states.head_dim, [&]<int kHeadDim>() {
    LaunchHeadDim<kHeadDim>(stream, args, states, first_row, grid);
  });
}

}  // namespace memory3::cuda
