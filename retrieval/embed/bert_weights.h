// The checkpoint of a BERT encoder: names, shapes and bytes, checked against the configuration.
#ifndef MEMORY3_RETRIEVAL_EMBED_BERT_WEIGHTS_H_
#define MEMORY3_RETRIEVAL_EMBED_BERT_WEIGHTS_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/model/safetensors.h"
#include "retrieval/embed/bert_config.h"

namespace memory3 {

// Matrices are (out, in) row-major; each has a bias of `out`.
struct BertLayerWeights {
  Tensor query, key, value;  // (hidden, hidden)
  Tensor query_bias, key_bias, value_bias;
  Tensor output, output_bias;  // (hidden, hidden)
  Tensor attention_norm, attention_norm_bias;
  Tensor up, up_bias;      // (mlp, hidden)
  Tensor down, down_bias;  // (hidden, mlp)
  Tensor mlp_norm, mlp_norm_bias;
};

class BertWeights {
 public:
  // Reads every *.safetensors file of the folder. Names may begin with "bert.".
  static absl::StatusOr<BertWeights> Open(const std::filesystem::path& model_dir,
                                          const BertConfig& config);

  Tensor word_embeddings, position_embeddings, token_type_embeddings;  // (n, hidden)
  Tensor embedding_norm, embedding_norm_bias;
  std::vector<BertLayerWeights> layers;
  // XXH3-64 of the names, shapes and bytes of all tensors used.
  uint64_t fingerprint = 0;

 private:
  class Finder;
  std::vector<SafetensorsFile> files_;  // what the tensors point into
};

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_EMBED_BERT_WEIGHTS_H_
