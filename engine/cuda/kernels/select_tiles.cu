#include "engine/cuda/kernels/decode_fragments.h"
#include "engine/cuda/kernels/keep_heaviest.h"
#include "engine/cuda/kernels/select_tiles.h"
#include "engine/cuda/kernels/softmax_numbers.h"
#include "engine/cuda/kernels/tile_head_dims.h"
#include "engine/cuda/platform/kernel.h"
#include "engine/cuda/platform/launch.h"
#include "engine/cuda/platform/tensor_core.h"

namespace memory3::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarpSize;
constexpr int kMaxTokens = 128;
constexpr int kKeyTiles = kMaxTokens / 8;

// Words of two bf16 each.
template <int kWords>
M3_DEVICE void AddBias(uint32_t (&words)[kWords], const uint32_t (&bias)[kWords]) {
  M3_UNROLL
  for (int i = 0; i < kWords; ++i) {
    const auto half = [](uint32_t word, int h) {
      return __uint_as_float(h == 0 ? word << 16 : word & 0xFFFF0000u);
    };
    words[i] = PackBf16(half(words[i], 0) + half(bias[i], 0), half(words[i], 1) + half(bias[i], 1));
  }
}

// Rows of qkv as one block reads them.
template <int kHeadDim>
struct SelectRows {
  static constexpr int kWords = kHeadDim / 8;  // of a row, per lane
  static constexpr int kStride = kHeadDim + 8;

  const BFloat16* queries;  // of the first token, group heads side by side
  const BFloat16* keys;
  const BFloat16* query_bias;  // null: none
  const BFloat16* key_bias;
  int64_t row_stride;
  int32_t group;
  int32_t tokens;

  M3_DEVICE SelectRows(const SelectTokensArgs<BFloat16>& args, const ReferenceRows& reference,
                       int32_t kv_head)
      : row_stride(int64_t{args.shape.heads + 2 * args.shape.kv_heads} * kHeadDim),
        group(args.shape.group()),
        tokens(reference.tokens) {
    const int64_t query = int64_t{kv_head} * group * kHeadDim;
    const int64_t key = int64_t{args.shape.heads + kv_head} * kHeadDim;
    queries = args.qkv + reference.first_row * row_stride + query;
    keys = args.qkv + reference.first_row * row_stride + key;
    query_bias = args.bias == nullptr ? nullptr : args.bias + query;
    key_bias = args.bias == nullptr ? nullptr : args.bias + key;
  }

  // Query `index` of tokens * group, zeros behind them.
  M3_DEVICE void LoadQuery(int32_t index, uint32_t (&words)[kWords]) const {
    const bool valid = index < tokens * group;
    const int32_t column = index % group * kHeadDim;
    LoadDotWordsOrZeros<kHeadDim>(valid ? queries + index / group * row_stride + column : nullptr,
                                  words);
    if (query_bias == nullptr || !valid) return;
    uint32_t bias[kWords];
    LoadDotWords<kHeadDim>(query_bias + column, bias);
    AddBias(words, bias);
  }

  // Keys to shared memory (kMaxTokens, kStride), zeros behind them: chunks of 16 bytes.
  M3_DEVICE void StoreKeys(BFloat16* shared) const {
    constexpr int kChunks = kHeadDim / 8;
    for (auto c = static_cast<int32_t>(threadIdx.x); c < kMaxTokens * kChunks; c += kThreads) {
      const int32_t token = c / kChunks;
      const int32_t element = c % kChunks * 8;
      uint32_t words[4];
      LoadWordsOrZeros<4>(token < tokens ? keys + token * row_stride : nullptr, element, words);
      if (key_bias != nullptr && token < tokens) {
        uint32_t bias[4];
        LoadWords<4>(key_bias, element, bias);
        AddBias(words, bias);
      }
      StorePack(reinterpret_cast<uint32_t*>(shared + token * kStride + element),
                Pack<uint32_t, 4>{{words[0], words[1], words[2], words[3]}});
    }
  }
};

// Scores of 16 queries with all keys; of the queries a lane holds g and g + 8, of every eight keys
// 2p and 2p + 1. Keys behind the tokens get none.
template <int kHeadDim>
M3_DEVICE void ScoreQueries(const SelectRows<kHeadDim>& rows, const BFloat16* keys, int32_t first,
                            float (&scores)[kKeyTiles][4]) {
  constexpr int kWords = kHeadDim / 8;
  uint32_t queries[2][kWords];
  rows.LoadQuery(first + Lane() / 4, queries[0]);
  rows.LoadQuery(first + Lane() / 4 + 8, queries[1]);
  M3_UNROLL
  for (int n = 0; n < kKeyTiles; ++n) {
    uint32_t words[kWords];
    LoadDotWords<kHeadDim>(keys + (8 * n + Lane() / 4) * SelectRows<kHeadDim>::kStride, words);
    M3_UNROLL
    for (int i = 0; i < 4; ++i) scores[n][i] = 0;
    M3_UNROLL
    for (int k = 0; k < kHeadDim / 16; ++k) {
      const uint32_t a[4] = {queries[0][2 * k], queries[1][2 * k], queries[0][2 * k + 1],
                             queries[1][2 * k + 1]};
      MmaBf16(scores[n], a, {words[2 * k], words[2 * k + 1]});
    }
    M3_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int32_t token = 8 * n + 2 * (Lane() % 4) + i % 2;
      scores[n][i] = token < rows.tokens ? scores[n][i] * ScoreScale(kHeadDim) : kNoScore;
    }
  }
}

// Adds the softmax of query g (h = 0) or g + 8 (h = 1) to the weights of the lane's keys.
M3_DEVICE void AddSoftmax(float (&scores)[kKeyTiles][4], int h, bool valid,
                          float (&weights)[kKeyTiles][2]) {
  float max = kNoMaximum;
  M3_UNROLL
  for (int i = 0; i < 2 * kKeyTiles; ++i) max = fmaxf(max, scores[i / 2][2 * h + i % 2]);
  max = fmaxf(max, __shfl_xor_sync(kFullWarp, max, 1));
  max = fmaxf(max, __shfl_xor_sync(kFullWarp, max, 2));
  float sum = 0;
  M3_UNROLL
  for (int i = 0; i < 2 * kKeyTiles; ++i) {
    float& score = scores[i / 2][2 * h + i % 2];
    score = Exp2(score - max);
    sum += score;
  }
  sum += __shfl_xor_sync(kFullWarp, sum, 1);
  sum += __shfl_xor_sync(kFullWarp, sum, 2);
  const float scale = valid ? 1.0f / sum : 0.0f;
  M3_UNROLL
  for (int i = 0; i < 2 * kKeyTiles; ++i) {
    weights[i / 2][i % 2] += scores[i / 2][2 * h + i % 2] * scale;
  }
}

// Leaves what all of the warp's queries give to each token in `to` (kMaxTokens).
M3_DEVICE void StoreWeights(const float (&weights)[kKeyTiles][2], float* to) {
  M3_UNROLL
  for (int i = 0; i < 2 * kKeyTiles; ++i) {
    float weight = weights[i / 2][i % 2];
    M3_UNROLL
    for (int offset = 4; offset < kWarpSize; offset *= 2) {
      weight += __shfl_xor_sync(kFullWarp, weight, offset);
    }
    if (Lane() < 4) to[i / 2 * 8 + 2 * Lane() + i % 2] = weight;
  }
}

// Grid: (reference_count, kv_heads).
template <int kHeadDim>
M3_KERNEL void M3_LAUNCH_BOUNDS(kThreads) SelectTilesKernel(SelectTokensArgs<BFloat16> args) {
  const auto reference = static_cast<int32_t>(blockIdx.x);
  const auto kv_head = static_cast<int32_t>(blockIdx.y);
  const SelectRows<kHeadDim> rows(args, args.references[reference], kv_head);
  auto* keys = SharedMemory<BFloat16>();
  auto* warp_weights = reinterpret_cast<float*>(keys + kMaxTokens * SelectRows<kHeadDim>::kStride);
  float* all_weights = warp_weights + kWarps * kMaxTokens;
  rows.StoreKeys(keys);
  __syncthreads();
  float weights[kKeyTiles][2] = {};
  const int32_t queries = rows.tokens * rows.group;
  for (int32_t first = 16 * Warp(); first < queries; first += 16 * kWarps) {
    float scores[kKeyTiles][4];
    ScoreQueries<kHeadDim>(rows, keys, first, scores);
    AddSoftmax(scores, 0, first + Lane() / 4 < queries, weights);
    AddSoftmax(scores, 1, first + Lane() / 4 + 8 < queries, weights);
  }
  StoreWeights(weights, warp_weights + Warp() * kMaxTokens);
  __syncthreads();
  for (auto t = static_cast<int32_t>(threadIdx.x); t < rows.tokens; t += kThreads) {
    float weight = 0;
    for (int warp = 0; warp < kWarps; ++warp) weight += warp_weights[warp * kMaxTokens + t];
    all_weights[t] = weight;
  }
  KeepHeaviest(all_weights, reinterpret_cast<int32_t*>(all_weights + kMaxTokens), rows.tokens,
               args.kept_tokens,
               args.kept + (int64_t{reference} * args.shape.kv_heads + kv_head) * args.kept_tokens);
}

template <int kHeadDim>
void LaunchHeadDim(Stream& stream, const SelectTokensArgs<BFloat16>& args) {
  constexpr int kKeyBytes = kMaxTokens * SelectRows<kHeadDim>::kStride * sizeof(BFloat16);
  constexpr int kWeightBytes = (kWarps + 2) * kMaxTokens * sizeof(float);
  const LaunchShape shape = {.grid = {static_cast<uint32_t>(args.reference_count),
                                      static_cast<uint32_t>(args.shape.kv_heads)},
                             .threads = kThreads,
                             .shared_bytes = kKeyBytes + kWeightBytes};
  Launch(stream, shape, SelectTilesKernel<kHeadDim>, args);
}

}  // namespace

bool LaunchSelectTiles(Stream& stream, const SelectTokensArgs<BFloat16>& args) {
  if (args.rule != TokenSelection::kSoftmaxSum || args.max_tokens > kMaxTokens) return false;
  return WithTileHeadDim(args.shape.head_dim,
                         [&]<int kHeadDim>() { LaunchHeadDim<kHeadDim>(stream, args); });
}

}  // namespace memory3::cuda
