#include "engine/cuda/kernels/select_tokens.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace memory3::cuda::twin {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

// log(exp(a) + exp(b))
double AddLogs(double a, double b) {
  const double max = std::max(a, b);
  return max == kMinusInfinity ? max : max + std::log1p(std::exp(std::min(a, b) - max));
}

// Element `column` of a row of qkv, bias added.
template <typename T>
double Element(const SelectTokensArgs<T>& args, int64_t row, int64_t column) {
  const int64_t width = int64_t{args.shape.heads + 2 * args.shape.kv_heads} * args.shape.head_dim;
  const auto value = static_cast<double>(ToFloat(args.qkv[row * width + column]));
  return args.bias == nullptr ? value : value + static_cast<double>(ToFloat(args.bias[column]));
}

// Of query head `head` of row `row` with every token of the reference.
template <typename T>
std::vector<double> Scores(const SelectTokensArgs<T>& args, const ReferenceRows& reference,
                           int64_t row, int64_t head) {
  const int64_t dim = args.shape.head_dim;
  const int64_t kv_head = head / args.shape.group();
  std::vector<double> scores(reference.tokens);
  for (int64_t t = 0; t < reference.tokens; ++t) {
    for (int64_t d = 0; d < dim; ++d) {
      scores[t] += Element(args, row, head * dim + d) *
                   Element(args, reference.first_row + t, (args.shape.heads + kv_head) * dim + d);
    }
    scores[t] /= std::sqrt(static_cast<double>(dim));
  }
  return scores;
}

}  // namespace

template <typename T>
std::vector<double> LogWeights(const SelectTokensArgs<T>& args, const ReferenceRows& reference,
                               int32_t kv_head) {
  const int32_t group = args.shape.group();
  std::vector<double> weights(reference.tokens, kMinusInfinity);
  for (int32_t i = 0; i < reference.tokens * group; ++i) {
    const std::vector<double> scores =
        Scores(args, reference, reference.first_row + i / group, kv_head * group + i % group);
    const double all = std::accumulate(scores.begin(), scores.end(), kMinusInfinity, AddLogs);
    const double norm = args.rule == TokenSelection::kSoftmaxSum ? all : 0;
    for (int32_t t = 0; t < reference.tokens; ++t) {
      weights[t] = AddLogs(weights[t], scores[t] - norm);
    }
  }
  return weights;
}

template <typename T>
void SelectTokens(const SelectTokensArgs<T>& args) {
  int32_t* kept = args.kept;
  for (int32_t r = 0; r < args.reference_count; ++r) {
    for (int32_t kv_head = 0; kv_head < args.shape.kv_heads; ++kv_head) {
      const std::vector<double> weights = LogWeights(args, args.references[r], kv_head);
      std::vector<int32_t> order(weights.size());
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(),
                       [&](int32_t a, int32_t b) { return weights[a] > weights[b]; });
      order.resize(std::min<size_t>(order.size(), args.kept_tokens));
      std::sort(order.begin(), order.end());
      order.resize(args.kept_tokens, -1);
      kept = std::copy(order.begin(), order.end(), kept);
    }
  }
}

template <typename T, typename Record>
void GatherMemory(const GatherMemoryArgs<T, Record>& args) {
  const AttentionShape& shape = args.shape;
  const int64_t heads = shape.kv_heads;
  const int64_t dim = shape.head_dim;
  const PagedLayer<T>& cache = args.cache;
  for (int64_t r = 0; r < args.reference_count; ++r) {
    for (int64_t i = 0; i < heads * args.kept_tokens; ++i) {
      const int64_t token = args.kept[r * heads * args.kept_tokens + i];
      Record* key = args.records + r * args.record_stride + i * dim;
      Record* value = key + heads * args.kept_tokens * dim;
      std::fill_n(key, dim, FromFloat<Record>(0));
      std::fill_n(value, dim, FromFloat<Record>(0));
      if (token < 0) continue;
      const int64_t block = cache.block_tables[r * cache.max_blocks + token / cache.block_tokens];
      const int64_t at = ((block * heads + i / args.kept_tokens) * cache.block_tokens +
                          token % cache.block_tokens) *
                         dim;
      for (int64_t d = 0; d < dim; ++d) {
        key[d] = FromFloat<Record>(ToFloat(cache.keys[at + d]));
        value[d] = FromFloat<Record>(ToFloat(cache.values[at + d]));
      }
    }
  }
}

template std::vector<double> LogWeights(const SelectTokensArgs<float>&, const ReferenceRows&,
                                        int32_t);
template std::vector<double> LogWeights(const SelectTokensArgs<BFloat16>&, const ReferenceRows&,
                                        int32_t);
template void SelectTokens(const SelectTokensArgs<float>&);
template void SelectTokens(const SelectTokensArgs<BFloat16>&);
template void GatherMemory(const GatherMemoryArgs<float, float>&);
template void GatherMemory(const GatherMemoryArgs<float, BFloat16>&);
template void GatherMemory(const GatherMemoryArgs<BFloat16, float>&);
template void GatherMemory(const GatherMemoryArgs<BFloat16, BFloat16>&);

}  // namespace memory3::cuda::twin
