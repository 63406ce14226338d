#include "retrieval/embed/bert_kernels.h"

#include <algorithm>
#include <cmath>

#include "engine/base/vector_math.h"

namespace memory3 {
namespace {

constexpr int kLanes = 4;  // every x86-64 and AArch64 has these
using F = FloatVec<kLanes>;

F Abs(F x) { return x < F{} ? -x : x; }

// Abramowitz and Stegun 7.1.26.
F ErrorFunction(F x) {
  const F t = 1.0f / (1.0f + 0.3275911f * Abs(x));
  F p = t * 1.061405429f - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  const F magnitude = 1.0f - p * t * Exp<kLanes>(-x * x);
  return x < F{} ? -magnitude : magnitude;
}

F Gelu(F x) {
  constexpr float kSqrtHalf = 0.70710678f;
  return 0.5f * x * (1.0f + ErrorFunction(x * kSqrtHalf));
}

F GeluTanh(F x) {
  constexpr float kSqrt2OverPi = 0.79788456f;
  const F inner = kSqrt2OverPi * (x + 0.044715f * x * x * x);
  return x / (1.0f + Exp<kLanes>(-2.0f * inner));  // 0.5 (1 + tanh z) = 1 / (1 + e^-2z)
}

F Relu(F x) { return x > F{} ? x : F{}; }

template <typename Function>
void Map(absl::Span<float> x, Function function) {
  size_t i = 0;
  for (; i + kLanes <= x.size(); i += kLanes) {
    Store<kLanes>(&x[i], function(Load<kLanes>(&x[i])));
  }
  for (; i < x.size(); ++i) x[i] = function(Splat<kLanes>(x[i]))[0];
}

float Dot(const float* a, const float* b, int count) {
  F sums{};
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) sums += Load<kLanes>(a + i) * Load<kLanes>(b + i);
  float sum = SumOfLanes<kLanes>(sums);
  for (; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

void LayerNorm(absl::Span<float> x, absl::Span<const float> weight, absl::Span<const float> bias,
               float epsilon) {
  const auto count = static_cast<double>(x.size());
  double mean = 0;
  for (const float value : x) mean += value;
  mean /= count;
  double variance = 0;
  for (const float value : x) variance += (value - mean) * (value - mean);
  variance /= count;
  const auto scale = static_cast<float>(1 / std::sqrt(variance + epsilon));
  const auto center = static_cast<float>(mean);
  for (size_t i = 0; i < x.size(); ++i) x[i] = (x[i] - center) * scale * weight[i] + bias[i];
}

void Activate(Activation activation, absl::Span<float> x) {
  switch (activation) {
    case Activation::kGelu:
      return Map(x, Gelu);
    case Activation::kGeluTanh:
      return Map(x, GeluTanh);
    case Activation::kRelu:
      return Map(x, Relu);
  }
}

void AttendHead(const float* q, const float* k, const float* v, int tokens, int size, int stride,
                float* scores, float* out, int out_stride) {
  const float scale = 1 / std::sqrt(static_cast<float>(size));
  for (int i = 0; i < tokens; ++i) {
    const float* query = q + static_cast<int64_t>(i) * stride;
    for (int j = 0; j < tokens; ++j) {
      scores[j] = scale * Dot(query, k + static_cast<int64_t>(j) * stride, size);
    }
    const float highest = *std::max_element(scores, scores + tokens);
    Map({scores, static_cast<size_t>(tokens)}, [&](F x) { return Exp<kLanes>(x - highest); });
    float sum = 0;
    for (int j = 0; j < tokens; ++j) sum += scores[j];
    float* row = out + static_cast<int64_t>(i) * out_stride;
    std::fill(row, row + size, 0.0f);
    for (int j = 0; j < tokens; ++j) {
      const float weight = scores[j] / sum;
      const float* value = v + static_cast<int64_t>(j) * stride;
      for (int d = 0; d < size; ++d) row[d] += weight * value[d];
    }
  }
}

}  // namespace memory3
