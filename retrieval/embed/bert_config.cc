#include "retrieval/embed/bert_config.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "engine/base/read_file.h"
#include "engine/base/status_macros.h"
#include "engine/model/json_fields.h"

namespace memory3 {
namespace {

constexpr int64_t kMaxConfigBytes = 1 << 20;
constexpr int kMaxWidth = 1 << 16, kMaxLayers = 256, kMaxHeads = 1024;
constexpr int kMaxVocabulary = 1 << 24, kMaxPositions = 1 << 16, kMaxTokenTypes = 64;

absl::Status ReadShape(const JsonFields& fields, BertConfig* config) {
  M3_ASSIGN_OR_RETURN(config->vocabulary, fields.Int("vocab_size", 1, kMaxVocabulary));
  M3_ASSIGN_OR_RETURN(config->hidden, fields.Int("hidden_size", 1, kMaxWidth));
  M3_ASSIGN_OR_RETURN(config->layers, fields.Int("num_hidden_layers", 1, kMaxLayers));
  M3_ASSIGN_OR_RETURN(config->heads, fields.Int("num_attention_heads", 1, kMaxHeads));
  M3_ASSIGN_OR_RETURN(config->mlp, fields.Int("intermediate_size", 1, kMaxWidth));
  M3_ASSIGN_OR_RETURN(config->positions, fields.Int("max_position_embeddings", 2, kMaxPositions));
  M3_ASSIGN_OR_RETURN(config->token_types, fields.Int("type_vocab_size", 1, kMaxTokenTypes, 2));
  if (config->hidden % config->heads == 0) return absl::OkStatus();
  return fields.Error("num_attention_heads", "must divide hidden_size");
}

absl::StatusOr<Activation> ReadActivation(const JsonFields& fields) {
  M3_ASSIGN_OR_RETURN(const std::string name, fields.String("hidden_act", "gelu"));
  if (name == "gelu") return Activation::kGelu;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh") return Activation::kGeluTanh;
  if (name == "relu") return Activation::kRelu;
  return fields.Error("hidden_act", absl::StrCat("'", name, "' is not supported"));
}

}  // namespace

absl::StatusOr<BertConfig> ReadBertConfig(const std::filesystem::path& model_dir) {
  const std::filesystem::path file = model_dir / "config.json";
  M3_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kMaxConfigBytes));
  M3_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJsonObject(text, file.string()));
  const JsonFields fields(json, file.string());
  M3_ASSIGN_OR_RETURN(const std::string type, fields.String("model_type", "bert"));
  if (type != "bert") {
    return fields.Error("model_type", absl::StrCat("'", type, "' is not supported, only bert"));
  }
  M3_ASSIGN_OR_RETURN(const std::string positions,
                      fields.String("position_embedding_type", "absolute"));
  if (positions != "absolute") {
    return fields.Error("position_embedding_type",
                        absl::StrCat("'", positions, "' is not supported, only absolute"));
  }
  BertConfig config;
  M3_RETURN_IF_ERROR(ReadShape(fields, &config));
  M3_ASSIGN_OR_RETURN(const double epsilon, fields.Positive("layer_norm_eps", 1e-12));
  config.layer_norm_epsilon = static_cast<float>(epsilon);
  M3_ASSIGN_OR_RETURN(config.activation, ReadActivation(fields));
  return config;
}

}  // namespace memory3
