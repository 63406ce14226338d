#include "engine/cpu/packed_model.h"

#include <algorithm>

#include "engine/base/bfloat16.h"
#include "engine/base/check.h"

namespace memory3 {
namespace {

std::vector<float> Floats(const Tensor& tensor) {
  std::vector<float> values(tensor.elements());
  ReadFloats(tensor, 0, absl::MakeSpan(values));
  return values;
}

struct BiasPart {
  const Tensor& tensor;
  int64_t size;
};

// Biases of stacked matrices, zero where one has none; empty when none has.
std::vector<float> StackBiases(std::initializer_list<BiasPart> parts) {
  std::vector<float> stacked;
  bool any = false;
  for (const BiasPart& part : parts) {
    const size_t begin = stacked.size();
    stacked.resize(begin + part.size, 0.0f);
    if (!part.tensor.present()) continue;
    any = true;
    ReadFloats(part.tensor, 0, absl::MakeSpan(stacked).subspan(begin));
  }
  if (!any) stacked.clear();
  return stacked;
}

int64_t BytesOf(const std::vector<float>& values) { return values.size() * sizeof(float); }

}  // namespace

PackedModel::PackedModel(const ModelConfig& config, const ModelWeights& weights, DType dtype,
                         CpuIsa isa, ThreadPool& pool)
    : hidden_(config.hidden), dtype_(dtype) {
  const auto pack = [&](std::initializer_list<const Tensor*> tensors) {
    PackedMatrix packed =
        PackedMatrix::Pack(absl::MakeConstSpan(tensors.begin(), tensors.size()), dtype, isa, pool);
    for (const Tensor* tensor : tensors) weights.DropPages(*tensor);
    return packed;
  };
  layers_.reserve(config.layers);
  for (int i = 0; i < config.layers; ++i) {
    const LayerWeights& w = weights.layer(i);
    PackedLayer layer;
    layer.input_norm = Floats(w.input_norm);
    layer.post_attention_norm = Floats(w.post_attention_norm);
    layer.qkv = pack({&w.q_proj, &w.k_proj, &w.v_proj});
    layer.o = pack({&w.o_proj});
    layer.gate_up = pack({&w.gate_proj, &w.up_proj});
    layer.down = pack({&w.down_proj});
    layer.qkv_bias = StackBiases({{w.q_bias, config.q_width()},
                                  {w.k_bias, config.kv_width()},
                                  {w.v_bias, config.kv_width()}});
    layer.o_bias = StackBiases({{w.o_bias, config.hidden}});
    layer.gate_up_bias = StackBiases({{w.gate_bias, config.mlp}, {w.up_bias, config.mlp}});
    layer.down_bias = StackBiases({{w.down_bias, config.hidden}});
    layers_.push_back(std::move(layer));
  }
  final_norm_ = Floats(weights.final_norm());
  lm_head_ = pack({&weights.lm_head()});
  if (!config.tied_embeddings) CopyEmbedding(weights.embedding(), pool);
}

void PackedModel::CopyEmbedding(const Tensor& embedding, ThreadPool& pool) {
  const int64_t vocab = embedding.elements() / hidden_;
  embedding_ = AlignedBuffer(vocab * hidden_ * SizeOf(dtype_));
  pool.Run([&](int part, int parts) {
    const Range rows = ShareOf(vocab, part, parts);
    std::vector<float> row(hidden_);
    for (int64_t i = rows.begin; i < rows.end; ++i) {
      ReadFloats(embedding, i * hidden_, absl::MakeSpan(row));
      if (dtype_ == DType::kF32) {
        std::copy(row.begin(), row.end(),
                  reinterpret_cast<float*>(embedding_.data()) + i * hidden_);
      } else {
        std::transform(row.begin(), row.end(),
                       reinterpret_cast<uint16_t*>(embedding_.data()) + i * hidden_, ToBfloat16);
      }
    }
  });
}

void PackedModel::Embed(int32_t token, float* out) const {
  if (embedding_.size() == 0) {
    lm_head_.ReadRow(token, out);
    return;
  }
  const int64_t begin = int64_t{token} * hidden_;
  if (dtype_ == DType::kF32) {
    std::copy_n(reinterpret_cast<const float*>(embedding_.data()) + begin, hidden_, out);
  } else {
    std::transform(reinterpret_cast<const uint16_t*>(embedding_.data()) + begin,
                   reinterpret_cast<const uint16_t*>(embedding_.data()) + begin + hidden_, out,
                   FromBfloat16);
  }
}

int64_t PackedModel::bytes_per_step() const {
  int64_t bytes = lm_head_.bytes();
  for (const PackedLayer& layer : layers_) {
    bytes += layer.qkv.bytes() + layer.o.bytes() + layer.gate_up.bytes() + layer.down.bytes();
  }
  return bytes;
}

int64_t PackedModel::bytes() const {
  int64_t bytes = bytes_per_step() + static_cast<int64_t>(embedding_.size()) + BytesOf(final_norm_);
  for (const PackedLayer& layer : layers_) {
    bytes += BytesOf(layer.input_norm) + BytesOf(layer.post_attention_norm) +
             BytesOf(layer.qkv_bias) + BytesOf(layer.o_bias) + BytesOf(layer.gate_up_bias) +
             BytesOf(layer.down_bias);
  }
  return bytes;
}

int64_t PackedModel::EstimateBytes(const ModelConfig& config, DType dtype) {
  const auto matrix = [dtype](int64_t outputs, int64_t inputs) {
    constexpr int64_t kPanel = 32;  // outputs are padded to about this many
    return (outputs + kPanel - 1) / kPanel * kPanel * inputs * SizeOf(dtype);
  };
  const int64_t layer = matrix(config.q_width() + 2 * config.kv_width(), config.hidden) +
                        matrix(config.hidden, config.q_width()) +
                        matrix(2 * int64_t{config.mlp}, config.hidden) +
                        matrix(config.hidden, config.mlp);
  const int64_t embeddings = config.tied_embeddings ? 1 : 2;
  return layer * config.layers + embeddings * matrix(config.vocab, config.hidden);
}

}  // namespace memory3
