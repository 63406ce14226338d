#include <cmath>
#include <type_traits>

#include "engine/base/check.h"
#include "engine/cuda/kernels/keep_heaviest.h"
#include "engine/cuda/kernels/select_tiles.h"
#include "engine/cuda/kernels/select_tokens.h"
#include "engine/cuda/kernels/softmax_numbers.h"
#include "engine/cuda/platform/kernel.h"
#include "engine/cuda/platform/launch.h"

namespace memory3::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarpSize;

// What a block weighs: queries and keys of one reference and KV head.
template <typename T>
struct Head {
  const T* queries;  // of the first token, group heads side by side
  const T* keys;
  const T* query_bias;  // null: none
  const T* key_bias;
  int64_t row_stride;
  int32_t head_dim;
  int32_t group;
  int32_t tokens;

  M3_DEVICE Head(const SelectTokensArgs<T>& args, const ReferenceRows& reference, int32_t kv_head)
      : head_dim(args.shape.head_dim), group(args.shape.group()), tokens(reference.tokens) {
    row_stride = int64_t{args.shape.heads + 2 * args.shape.kv_heads} * head_dim;
    const int64_t query = int64_t{kv_head} * group * head_dim;
    const int64_t key = int64_t{args.shape.heads + kv_head} * head_dim;
    queries = args.qkv + reference.first_row * row_stride + query;
    keys = args.qkv + reference.first_row * row_stride + key;
    query_bias = args.bias == nullptr ? nullptr : args.bias + query;
    key_bias = args.bias == nullptr ? nullptr : args.bias + key;
  }

  // Times log2(e) / sqrt(head_dim). Every key's score is made by the same operations, wherever it
  // stands: equal tokens weigh exactly the same.
  M3_DEVICE float Score(int32_t query, int32_t token, float scale) const {
    const int32_t column = query % group * head_dim;
    const T* q = queries + query / group * row_stride + column;
    const T* k = keys + token * row_stride;
    float score = 0;
    for (int32_t d = 0; d < head_dim; ++d) {
      if (query_bias == nullptr) {
        score += ToFloat(q[d]) * ToFloat(k[d]);
      } else {
        score += (ToFloat(q[d]) + ToFloat(query_bias[column + d])) *
                 (ToFloat(k[d]) + ToFloat(key_bias[d]));
      }
    }
    return score * scale;
  }
};

// Of one warp, in shared memory: what its queries give to every token.
struct WarpWeights {
  double* weight;
  float* max;  // exponentials alone: the largest score, to which `weight` is relative
  float* scores;

  static M3_HOST_DEVICE int64_t Bytes(int32_t max_tokens) {
    return int64_t{kWarps} * max_tokens * (sizeof(double) + 2 * sizeof(float));
  }
  M3_DEVICE WarpWeights(unsigned char* shared, int32_t max_tokens, int32_t warp) {
    auto* weights = reinterpret_cast<double*>(shared);
    auto* floats = reinterpret_cast<float*>(weights + kWarps * max_tokens);
    weight = weights + warp * max_tokens;
    max = floats + warp * max_tokens;
    scores = floats + (kWarps + warp) * max_tokens;
  }
};

// A lane touches the tokens lane, lane + 32 ... alone.
M3_DEVICE void AddSoftmax(const WarpWeights& warp, int32_t tokens) {
  float max = kNoMaximum;
  for (int32_t t = Lane(); t < tokens; t += kWarpSize) max = fmaxf(max, warp.scores[t]);
  max = WarpMax(max);
  float sum = 0;
  for (int32_t t = Lane(); t < tokens; t += kWarpSize) {
    warp.scores[t] = exp2f(warp.scores[t] - max);
    sum += warp.scores[t];
  }
  const double scale = 1.0 / static_cast<double>(WarpSum(sum));
  for (int32_t t = Lane(); t < tokens; t += kWarpSize) {
    warp.weight[t] += scale * static_cast<double>(warp.scores[t]);
  }
}

M3_DEVICE void AddExponential(float score, float weight_max, double weight, float* max,
                              double* sum) {
  const float larger = fmaxf(score, weight_max);
  *sum = weight * static_cast<double>(exp2f(weight_max - larger)) +
         static_cast<double>(exp2f(score - larger));
  *max = larger;
}

template <typename T>
M3_DEVICE void WeighQueries(const Head<T>& head, bool exponentials, const WarpWeights& warp) {
  const float scale = ScoreScale(head.head_dim);
  for (int32_t t = Lane(); t < head.tokens; t += kWarpSize) {
    warp.weight[t] = 0;
    warp.max[t] = kNoMaximum;
  }
  for (int32_t query = Warp(); query < head.tokens * head.group; query += kWarps) {
    for (int32_t t = Lane(); t < head.tokens; t += kWarpSize) {
      const float score = head.Score(query, t, scale);
      warp.scores[t] = score;
      if (exponentials) {
        AddExponential(score, warp.max[t], warp.weight[t], warp.max + t, warp.weight + t);
      }
    }
    if (!exponentials) AddSoftmax(warp, head.tokens);
  }
}

// Sums the warps' weights into those of the first, as logarithms for exponentials. Between
// barriers.
M3_DEVICE void MergeWarps(unsigned char* shared, int32_t max_tokens, int32_t tokens,
                          bool exponentials) {
  const WarpWeights all(shared, max_tokens, 0);
  for (auto t = static_cast<int32_t>(threadIdx.x); t < tokens; t += kThreads) {
    float max = kNoMaximum;
    for (int warp = 0; warp < kWarps; ++warp) max = fmaxf(max, all.max[warp * max_tokens + t]);
    double sum = 0;
    for (int warp = 0; warp < kWarps; ++warp) {
      const double weight = all.weight[warp * max_tokens + t];
      sum += exponentials
                 ? weight * static_cast<double>(exp2f(all.max[warp * max_tokens + t] - max))
                 : weight;
    }
    all.weight[t] = exponentials ? static_cast<double>(max) + log2(sum) : sum;
  }
}

// Grid: (reference_count, kv_heads).
template <typename T>
M3_KERNEL void M3_LAUNCH_BOUNDS(kThreads) SelectTokensKernel(SelectTokensArgs<T> args) {
  const auto reference = static_cast<int32_t>(blockIdx.x);
  const auto kv_head = static_cast<int32_t>(blockIdx.y);
  const Head<T> head(args, args.references[reference], kv_head);
  const bool exponentials = args.rule == TokenSelection::kExpSum;
  auto* shared = SharedMemory<unsigned char>();
  WeighQueries(head, exponentials, WarpWeights(shared, args.max_tokens, Warp()));
  __syncthreads();
  MergeWarps(shared, args.max_tokens, head.tokens, exponentials);
  const WarpWeights all(shared, args.max_tokens, 0);
  int32_t* kept =
      args.kept + (int64_t{reference} * args.shape.kv_heads + kv_head) * args.kept_tokens;
  KeepHeaviest(all.weight, reinterpret_cast<int32_t*>(all.scores), head.tokens, args.kept_tokens,
               kept);
}

}  // namespace

template <typename T>
void SelectTokens(Stream& stream, const SelectTokensArgs<T>& args) {
  if (args.reference_count == 0) return;
  M3_CHECK(args.max_tokens <= kMaxSelectTokens);
  if constexpr (std::is_same_v<T, BFloat16>) {
    if (LaunchSelectTiles(stream, args)) return;
  }
  const LaunchShape shape = {.grid = {static_cast<uint32_t>(args.reference_count),
                                      static_cast<uint32_t>(args.shape.kv_heads)},
                             .threads = kThreads,
                             .shared_bytes = static_cast<int>(WarpWeights::Bytes(args.max_tokens))};
  Launch(stream, shape, SelectTokensKernel<T>, args);
}

template void SelectTokens(Stream&, const SelectTokensArgs<float>&);
template void SelectTokens(Stream&, const SelectTokensArgs<BFloat16>&);

}  // namespace memory3::cuda
