// The activations of one step, sized once for the largest batch.
#ifndef MEMORY3_ENGINE_CPU_WORKSPACE_H_
#define MEMORY3_ENGINE_CPU_WORKSPACE_H_

#include <algorithm>
#include <cstdint>

#include "engine/base/aligned_buffer.h"
#include "engine/cpu/matmul.h"
#include "engine/model/model_config.h"

namespace memory3 {

// Rows whose logits are computed by one product; more rows take several. Bounds the only buffer
// that grows with the vocabulary.
inline constexpr int kMaxLogitRowsAtOnce = 64;

class FloatMatrix {
 public:
  FloatMatrix(int64_t rows, int64_t width) : width_(width), buffer_(rows * width * sizeof(float)) {}
  float* row(int64_t index) { return reinterpret_cast<float*>(buffer_.data()) + index * width_; }
  float* data() { return row(0); }
  const float* data() const { return reinterpret_cast<const float*>(buffer_.data()); }
  int64_t width() const { return width_; }

 private:
  int64_t width_;
  AlignedBuffer buffer_;
};

struct Workspace {
  Workspace(const ModelConfig& config, int max_rows)
      : logit_rows_at_once(std::min(max_rows, kMaxLogitRowsAtOnce)),
        residual(max_rows, config.hidden),
        normed(max_rows, config.hidden),
        qkv(max_rows, config.q_width() + 2 * config.kv_width()),
        attention(max_rows, config.q_width()),
        gate_up(max_rows, 2 * int64_t{config.mlp}),
        activated(max_rows, config.mlp),
        logits(logit_rows_at_once, config.vocab),
        input(max_rows, MaxInputs(config)) {}

  static int64_t EstimateBytes(const ModelConfig& config, int max_rows) {
    const int64_t per_row = 2 * int64_t{config.hidden} + 2 * int64_t{config.q_width()} +
                            2 * int64_t{config.kv_width()} + 3 * int64_t{config.mlp} +
                            MaxInputs(config);
    return (per_row * max_rows + int64_t{std::min(max_rows, kMaxLogitRowsAtOnce)} * config.vocab) *
           static_cast<int64_t>(sizeof(float));
  }

  const int logit_rows_at_once;
  FloatMatrix residual;   // (rows, hidden)
  FloatMatrix normed;     // (rows, hidden)
  FloatMatrix qkv;        // (rows, q_width + 2 kv_width)
  FloatMatrix attention;  // (rows, q_width)
  FloatMatrix gate_up;    // (rows, 2 mlp)
  FloatMatrix activated;  // (rows, mlp)
  FloatMatrix logits;     // (logit_rows_at_once, vocab)
  PackedInput input;      // of the product at hand

 private:
  static int64_t MaxInputs(const ModelConfig& config) {
    return std::max({config.hidden, config.q_width(), config.mlp});
  }
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_WORKSPACE_H_
