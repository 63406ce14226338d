// Shape of a BERT encoder, from the config.json of its Hugging Face folder.
#ifndef MEMORY3_RETRIEVAL_EMBED_BERT_CONFIG_H_
#define MEMORY3_RETRIEVAL_EMBED_BERT_CONFIG_H_

#include <cstdint>
#include <filesystem>

#include "absl/status/statusor.h"

namespace memory3 {

enum class Activation : uint8_t { kGelu, kGeluTanh, kRelu };

struct BertConfig {
  int vocabulary = 0;
  int hidden = 0;
  int layers = 0;
  int heads = 0;
  int mlp = 0;        // intermediate_size
  int positions = 0;  // tokens of the longest text
  int token_types = 0;
  float layer_norm_epsilon = 1e-12f;
  Activation activation = Activation::kGelu;

  int head_size() const { return hidden / heads; }
};

// InvalidArgument naming file and field; a model that is not a BERT with absolute positions is
// refused by name.
absl::StatusOr<BertConfig> ReadBertConfig(const std::filesystem::path& model_dir);

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_EMBED_BERT_CONFIG_H_
