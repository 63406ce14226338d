// A BERT encoder: token ids of some texts in, hidden states of the last layer out.
#ifndef MEMORY3_RETRIEVAL_EMBED_BERT_ENCODER_H_
#define MEMORY3_RETRIEVAL_EMBED_BERT_ENCODER_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/base/thread_pool.h"
#include "engine/cpu/matmul.h"
#include "retrieval/embed/bert_config.h"
#include "retrieval/embed/bert_weights.h"

namespace memory3 {

// Rows, each a token, of one forward pass: bounds its memory, and is never less than one text's.
inline constexpr int kBertBatchRows = 1024;

// All in f32. One Encode at a time.
class BertEncoder {
 public:
  // Copies what it needs from `weights`. threads: of a forward pass.
  BertEncoder(const BertConfig& config, const BertWeights& weights, int threads);

  int max_rows() const { return max_rows_; }
  // Texts lie behind one another: text t has the tokens [begins[t], begins[t + 1]) of `tokens`, and
  // begins has one more entry than there are texts. Every text attends to itself alone, in both
  // directions. Each token is in [0, vocabulary), each text has 1 to `positions` tokens, and there
  // are at most max_rows() of all. Returns (tokens, hidden), valid until the next call.
  absl::Span<const float> Encode(absl::Span<const int32_t> tokens, absl::Span<const int> begins);

 private:
  struct Norm {
    std::vector<float> weight, bias;
  };
  struct Layer {
    PackedMatrix qkv, output, up, down;
    std::vector<float> qkv_bias, output_bias, up_bias, down_bias;
    Norm attention_norm, mlp_norm;
  };
  Layer PackLayer(const BertLayerWeights& weights);
  void Embed(absl::Span<const int32_t> tokens, absl::Span<const int> begins);
  void RunLayer(const Layer& layer, int64_t rows, absl::Span<const int> begins);
  void Attend(absl::Span<const int> begins);
  void Normalize(const Norm& norm, int64_t rows);  // hidden_, in place
  void Product(const PackedMatrix& matrix, const std::vector<float>& bias, const float* x,
               int64_t rows, bool accumulate, float* y);

  const BertConfig config_;
  const int max_rows_;
  ThreadPool pool_;
  std::vector<float> word_embeddings_, position_embeddings_, token_type_embedding_;
  Norm embedding_norm_;
  std::vector<Layer> layers_;
  PackedInput input_;
  // Workspaces, (max_rows_, ...).
  std::vector<float> hidden_, qkv_, attended_, mlp_;
  std::vector<float> scores_;  // (threads, positions)
};

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_EMBED_BERT_ENCODER_H_
