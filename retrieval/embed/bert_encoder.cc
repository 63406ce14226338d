#include "retrieval/embed/bert_encoder.h"

#include <algorithm>
#include <initializer_list>

#include "engine/base/check.h"
#include "retrieval/embed/bert_kernels.h"

namespace memory3 {
namespace {

std::vector<float> ToFloats(const Tensor& tensor) {
  std::vector<float> floats(static_cast<size_t>(tensor.elements()));
  ReadFloats(tensor, 0, absl::MakeSpan(floats));
  return floats;
}

std::vector<float> Join(std::initializer_list<const Tensor*> tensors) {
  std::vector<float> joined;
  for (const Tensor* tensor : tensors) {
    const std::vector<float> floats = ToFloats(*tensor);
    joined.insert(joined.end(), floats.begin(), floats.end());
  }
  return joined;
}

size_t Elements(int rows, int width) {
  return static_cast<size_t>(rows) * static_cast<size_t>(width);
}

}  // namespace

BertEncoder::BertEncoder(const BertConfig& config, const BertWeights& weights, int threads)
    : config_(config),
      max_rows_(std::max(kBertBatchRows, config.positions)),
      pool_(threads),
      word_embeddings_(ToFloats(weights.word_embeddings)),
      position_embeddings_(ToFloats(weights.position_embeddings)),
      token_type_embedding_(static_cast<size_t>(config.hidden)),
      embedding_norm_{ToFloats(weights.embedding_norm), ToFloats(weights.embedding_norm_bias)},
      input_(max_rows_, std::max(config.hidden, config.mlp)),
      hidden_(Elements(max_rows_, config.hidden)),
      qkv_(Elements(max_rows_, 3 * config.hidden)),
      attended_(Elements(max_rows_, config.hidden)),
      mlp_(Elements(max_rows_, config.mlp)),
      scores_(Elements(threads, config.positions)) {
  // One text alone is all of type 0.
  ReadFloats(weights.token_type_embeddings, 0, absl::MakeSpan(token_type_embedding_));
  for (const BertLayerWeights& layer : weights.layers) layers_.push_back(PackLayer(layer));
}

BertEncoder::Layer BertEncoder::PackLayer(const BertLayerWeights& weights) {
  const auto pack = [this](std::initializer_list<const Tensor*> tensors) {
    return PackedMatrix::Pack(tensors, DType::kF32, BestIsa(), pool_);
  };
  return {
      .qkv = pack({&weights.query, &weights.key, &weights.value}),
      .output = pack({&weights.output}),
      .up = pack({&weights.up}),
      .down = pack({&weights.down}),
      .qkv_bias = Join({&weights.query_bias, &weights.key_bias, &weights.value_bias}),
      .output_bias = ToFloats(weights.output_bias),
      .up_bias = ToFloats(weights.up_bias),
      .down_bias = ToFloats(weights.down_bias),
      .attention_norm = {ToFloats(weights.attention_norm), ToFloats(weights.attention_norm_bias)},
      .mlp_norm = {ToFloats(weights.mlp_norm), ToFloats(weights.mlp_norm_bias)}};
}

absl::Span<const float> BertEncoder::Encode(absl::Span<const int32_t> tokens,
                                            absl::Span<const int> begins) {
  M3_CHECK(!begins.empty() && tokens.size() <= static_cast<size_t>(max_rows_));
  M3_CHECK(static_cast<size_t>(begins.back()) == tokens.size());
  const auto rows = static_cast<int64_t>(tokens.size());
  if (rows == 0) return {};
  Embed(tokens, begins);
  Normalize(embedding_norm_, rows);
  for (const Layer& layer : layers_) RunLayer(layer, rows, begins);
  return {hidden_.data(), tokens.size() * static_cast<size_t>(config_.hidden)};
}

void BertEncoder::Embed(absl::Span<const int32_t> tokens, absl::Span<const int> begins) {
  const int64_t hidden = config_.hidden;
  for (size_t text = 0; text + 1 < begins.size(); ++text) {
    M3_CHECK(begins[text + 1] - begins[text] <= config_.positions);
    for (int row = begins[text]; row < begins[text + 1]; ++row) {
      const float* word = &word_embeddings_[static_cast<size_t>(tokens[row] * hidden)];
      const float* position =
          &position_embeddings_[static_cast<size_t>((row - begins[text]) * hidden)];
      float* out = &hidden_[static_cast<size_t>(row * hidden)];
      for (int64_t d = 0; d < hidden; ++d) {
        out[d] = word[d] + token_type_embedding_[static_cast<size_t>(d)] + position[d];
      }
    }
  }
}

// Post-LN: each half is added to its input and the sum normalised.
void BertEncoder::RunLayer(const Layer& layer, int64_t rows, absl::Span<const int> begins) {
  Product(layer.qkv, layer.qkv_bias, hidden_.data(), rows, false, qkv_.data());
  Attend(begins);
  Product(layer.output, layer.output_bias, attended_.data(), rows, true, hidden_.data());
  Normalize(layer.attention_norm, rows);
  Product(layer.up, layer.up_bias, hidden_.data(), rows, false, mlp_.data());
  pool_.Run([&](int part, int parts) {
    const Range share = ShareOf(rows * config_.mlp, part, parts);
    Activate(config_.activation,
             {mlp_.data() + share.begin, static_cast<size_t>(share.end - share.begin)});
  });
  Product(layer.down, layer.down_bias, mlp_.data(), rows, true, hidden_.data());
  Normalize(layer.mlp_norm, rows);
}

void BertEncoder::Attend(absl::Span<const int> begins) {
  const int hidden = config_.hidden, size = config_.head_size();
  const auto texts = static_cast<int64_t>(begins.size()) - 1;
  pool_.Run([&](int part, int parts) {
    const Range share = ShareOf(texts * config_.heads, part, parts);
    float* scores = scores_.data() + Elements(part, config_.positions);
    for (int64_t item = share.begin; item < share.end; ++item) {
      const int begin = begins[static_cast<size_t>(item / config_.heads)];
      const int tokens = begins[static_cast<size_t>(item / config_.heads) + 1] - begin;
      const int head = static_cast<int>(item % config_.heads) * size;
      const float* q = qkv_.data() + Elements(begin, 3 * hidden) + head;
      AttendHead(q, q + hidden, q + 2 * hidden, tokens, size, 3 * hidden, scores,
                 attended_.data() + Elements(begin, hidden) + head, hidden);
    }
  });
}

void BertEncoder::Normalize(const Norm& norm, int64_t rows) {
  const auto hidden = static_cast<size_t>(config_.hidden);
  pool_.Run([&](int part, int parts) {
    const Range share = ShareOf(rows, part, parts);
    for (int64_t row = share.begin; row < share.end; ++row) {
      LayerNorm({hidden_.data() + static_cast<size_t>(row) * hidden, hidden}, norm.weight,
                norm.bias, config_.layer_norm_epsilon);
    }
  });
}

void BertEncoder::Product(const PackedMatrix& matrix, const std::vector<float>& bias,
                          const float* x, int64_t rows, bool accumulate, float* y) {
  input_.Set(x, rows, matrix.inputs(), matrix.dtype(), pool_);
  MatMul(pool_, matrix, input_, bias.data(), accumulate, y, matrix.outputs());
}

}  // namespace memory3
