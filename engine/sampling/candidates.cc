#include "engine/sampling/candidates.h"

#include <algorithm>
#include <cfloat>
#include <limits>

#include "engine/base/check.h"
#include "engine/base/vector_math.h"

namespace memory3 {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
constexpr int kLanes = 4;  // what every x86-64 and ARMv8 has
using Vec = FloatVec<kLanes>;

double SumOfBlock(const float* weights, int64_t count) {
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += weights[i + lane];
  }
  for (; i < count; ++i) lanes[0] += weights[i];
  return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
}

}  // namespace

void MakeFinite(absl::Span<float> scores) {
  for (float& score : scores) {
    const float number = score == score ? score : kMinusInfinity;
    score = number > FLT_MAX ? FLT_MAX : number;
  }
}

float MaxScore(absl::Span<const float> scores) {
  constexpr int kUnroll = 4;
  const int64_t count = scores.size();
  Vec best[kUnroll];
  for (Vec& v : best) v = Splat<kLanes>(kMinusInfinity);
  int64_t i = 0;
  for (; i + kUnroll * kLanes <= count; i += kUnroll * kLanes) {
    for (int u = 0; u < kUnroll; ++u) {
      best[u] = Max<kLanes>(Load<kLanes>(&scores[i + u * kLanes]), best[u]);
    }
  }
  float result =
      MaxOfLanes<kLanes>(Max<kLanes>(Max<kLanes>(best[0], best[1]), Max<kLanes>(best[2], best[3])));
  for (; i < count; ++i) result = scores[i] > result ? scores[i] : result;
  return result;
}

int32_t ArgMax(absl::Span<const float> scores) {
  const float best = std::min(MaxScore(scores), FLT_MAX);
  if (best == kMinusInfinity) return 0;
  const auto found =
      std::find_if(scores.begin(), scores.end(), [best](float score) { return score >= best; });
  return static_cast<int32_t>(found - scores.begin());
}

void ToWeights(absl::Span<float> scores, float max, float temperature) {
  const int64_t count = scores.size();
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    Store<kLanes>(&scores[i], Exp<kLanes>((Load<kLanes>(&scores[i]) - max) / temperature));
  }
  for (; i < count; ++i) {
    scores[i] = Exp<kLanes>(Splat<kLanes>((scores[i] - max) / temperature))[0];
  }
}

double SumOfExp(absl::Span<const float> scores, float max) {
  const int64_t count = scores.size();
  double sum = 0;
  for (int64_t begin = 0; begin < count; begin += kSumBlock) {
    const int64_t size = std::min<int64_t>(kSumBlock, count - begin);
    float weights[kSumBlock];
    std::copy_n(&scores[begin], size, weights);
    ToWeights(absl::MakeSpan(weights, size), max, 1.0f);
    sum += SumOfBlock(weights, size);
  }
  return sum;
}

double SumInBlocks(absl::Span<const float> weights, std::vector<double>* block_sums) {
  const int64_t count = weights.size();
  block_sums->clear();
  double total = 0;
  for (int64_t begin = 0; begin < count; begin += kSumBlock) {
    block_sums->push_back(SumOfBlock(&weights[begin], std::min<int64_t>(kSumBlock, count - begin)));
    total += block_sums->back();
  }
  return total;
}

void SelectBest(absl::Span<const float> scores, int count, std::vector<Candidate>* best) {
  // A buffer that is cut back to the best `count` whenever it is full: after the first cut only
  // tokens above a rising threshold enter, so most of the vocabulary costs one comparison.
  constexpr int64_t kSlack = 1024;
  const int64_t vocab = scores.size();
  M3_CHECK(count > 0 && count <= vocab);
  const size_t capacity = std::min<int64_t>(vocab, 2 * int64_t{count} + kSlack);
  best->clear();
  const auto cut_back = [best, count] {
    std::nth_element(best->begin(), best->begin() + (count - 1), best->end(), IsBetter);
    best->resize(count);
  };
  float threshold = kMinusInfinity;
  bool open = true;  // nothing was cut yet: even -infinity enters
  for (int64_t token = 0; token < vocab; ++token) {
    // Ids ascend, so an equal score is never better than the worst one kept.
    if (!open && !(scores[token] > threshold)) continue;
    if (best->size() == capacity) {
      cut_back();
      threshold = best->back().score;
      open = false;
      if (!(scores[token] > threshold)) continue;
    }
    best->push_back({scores[token], static_cast<int32_t>(token)});
  }
  cut_back();
}

Candidate NucleusCutoff(absl::Span<const float> weights, double mass, double total,
                        std::vector<Candidate>* scratch) {
  // All tokens lighter than this together weigh less than total - mass: none of them is needed.
  const double negligible = (total - mass) / static_cast<double>(weights.size());
  scratch->clear();
  for (size_t token = 0; token < weights.size(); ++token) {
    if (weights[token] > 0 && weights[token] >= negligible) {
      scratch->push_back({weights[token], static_cast<int32_t>(token)});
    }
  }
  // Sort the best few, then the next more, until they weigh enough.
  constexpr int64_t kFirstPiece = 64, kGrowth = 8;
  double sum = 0;
  auto begin = scratch->begin();
  for (int64_t piece = kFirstPiece; begin != scratch->end(); piece *= kGrowth) {
    const auto end = begin + std::min<int64_t>(piece, scratch->end() - begin);
    if (end != scratch->end()) std::nth_element(begin, end - 1, scratch->end(), IsBetter);
    std::sort(begin, end, IsBetter);
    for (; begin != end; ++begin) {
      sum += begin->score;
      if (sum >= mass) return *begin;
    }
  }
  return scratch->back();
}

}  // namespace memory3
