#include "tests/unit/runner/naive_llama.h"

#include <algorithm>
#include <cmath>

namespace memory3 {
namespace {

using Vector = std::vector<double>;
using Rows = std::vector<Vector>;

Vector Values(const Tensor& tensor) {
  std::vector<float> floats(tensor.elements());
  ReadFloats(tensor, 0, absl::MakeSpan(floats));
  return Vector(floats.begin(), floats.end());
}

// x W^T + b, row by row.
Rows Linear(const Rows& x, const Tensor& weight, const Tensor& bias) {
  const Vector w = Values(weight);
  const size_t out = weight.shape[0], in = weight.shape[1];
  const Vector b = bias.present() ? Values(bias) : Vector(out, 0.0);
  Rows y(x.size(), Vector(out));
  for (size_t row = 0; row < x.size(); ++row) {
    for (size_t o = 0; o < out; ++o) {
      y[row][o] = b[o];
      for (size_t i = 0; i < in; ++i) y[row][o] += w[o * in + i] * x[row][i];
    }
  }
  return y;
}

Rows Norm(const Rows& x, const Tensor& weight, double eps) {
  const Vector w = Values(weight);
  Rows y = x;
  for (Vector& row : y) {
    double squares = 0;
    for (const double value : row) squares += value * value;
    const double scale = 1 / std::sqrt(squares / static_cast<double>(row.size()) + eps);
    for (size_t i = 0; i < row.size(); ++i) row[i] *= scale * w[i];
  }
  return y;
}

void Rotate(Rows& x, int heads, const ModelConfig& config) {
  const Vector frequencies = RopeFrequencies(config);
  const int half = config.head_dim / 2;
  for (size_t position = 0; position < x.size(); ++position) {
    for (int head = 0; head < heads; ++head) {
      double* values = x[position].data() + head * config.head_dim;
      for (int i = 0; i < half; ++i) {
        const double angle = static_cast<double>(position) * frequencies[i];
        const double a = values[i], b = values[half + i];
        values[i] = a * std::cos(angle) - b * std::sin(angle);
        values[half + i] = b * std::cos(angle) + a * std::sin(angle);
      }
    }
  }
}

Rows Attend(const Rows& q, const Rows& k, const Rows& v, const ModelConfig& config) {
  const int dim = config.head_dim;
  Rows out(q.size(), Vector(config.q_width(), 0.0));
  for (size_t row = 0; row < q.size(); ++row) {
    for (int head = 0; head < config.heads; ++head) {
      const int kv = head / (config.heads / config.kv_heads) * dim;
      Vector weights;
      for (size_t j = 0; j <= row; ++j) {
        double score = 0;
        for (int d = 0; d < dim; ++d) score += q[row][head * dim + d] * k[j][kv + d];
        weights.push_back(score / std::sqrt(dim));
      }
      const double max = *std::max_element(weights.begin(), weights.end());
      double sum = 0;
      for (double& weight : weights) sum += weight = std::exp(weight - max);
      for (size_t j = 0; j <= row; ++j) {
        for (int d = 0; d < dim; ++d) {
          out[row][head * dim + d] += weights[j] / sum * v[j][kv + d];
        }
      }
    }
  }
  return out;
}

void Add(Rows& x, const Rows& y) {
  for (size_t row = 0; row < x.size(); ++row) {
    for (size_t i = 0; i < x[row].size(); ++i) x[row][i] += y[row][i];
  }
}

}  // namespace

std::vector<std::vector<double>> NaiveLogits(const RandomModel& model,
                                             absl::Span<const int32_t> tokens) {
  const ModelConfig& config = model.config;
  const Vector embedding = Values(model.weights.embedding());
  Rows x;
  for (const int32_t token : tokens) {
    const auto begin = embedding.begin() + int64_t{token} * config.hidden;
    x.emplace_back(begin, begin + config.hidden);
  }
  for (int i = 0; i < config.layers; ++i) {
    const LayerWeights& w = model.weights.layer(i);
    Rows h = Norm(x, w.input_norm, config.rms_norm_eps);
    Rows q = Linear(h, w.q_proj, w.q_bias), k = Linear(h, w.k_proj, w.k_bias);
    Rotate(q, config.heads, config);
    Rotate(k, config.kv_heads, config);
    Add(x, Linear(Attend(q, k, Linear(h, w.v_proj, w.v_bias), config), w.o_proj, w.o_bias));
    h = Norm(x, w.post_attention_norm, config.rms_norm_eps);
    Rows gate = Linear(h, w.gate_proj, w.gate_bias);
    const Rows up = Linear(h, w.up_proj, w.up_bias);
    for (size_t row = 0; row < gate.size(); ++row) {
      for (size_t j = 0; j < gate[row].size(); ++j) {
        gate[row][j] *= up[row][j] / (1 + std::exp(-gate[row][j]));
      }
    }
    Add(x, Linear(gate, w.down_proj, w.down_bias));
  }
  return Linear(Norm(x, model.weights.final_norm(), config.rms_norm_eps), model.weights.lm_head(),
                Tensor{});
}

}  // namespace memory3
