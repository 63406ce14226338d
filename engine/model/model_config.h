// What config.json says about a Llama-family decoder: every number the engine needs, none compiled
// in.
//
//   M3_ASSIGN_OR_RETURN(ModelConfig config, LoadModelConfig(model_dir));
//
// Refused by name: architectures other than Llama, Mistral and Qwen2, and any setting that would
// change the result but is not implemented (another hidden_act, an unknown rope_scaling type ...).
// A sliding window in use is not refused: max_context is cut to it, and within it the result is
// equal.
#ifndef MEMORY3_ENGINE_MODEL_MODEL_CONFIG_H_
#define MEMORY3_ENGINE_MODEL_MODEL_CONFIG_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace memory3 {

// Llama-3's stretched rotary frequencies (`rope_scaling` of type "llama3"), or "linear".
struct RopeScaling {
  enum class Kind { kLinear, kLlama3 };
  Kind kind = Kind::kLinear;
  double factor = 1.0;
  double low_freq_factor = 1.0;                 // llama3 only
  double high_freq_factor = 4.0;                // llama3 only
  int original_max_position_embeddings = 8192;  // llama3 only
};

struct ModelConfig {
  std::string architecture;  // "LlamaForCausalLM"
  int hidden = 0;
  int layers = 0;
  int heads = 0;        // query heads
  int kv_heads = 0;     // divides heads
  int head_dim = 0;     // even; heads * head_dim need not equal hidden
  int mlp = 0;          // width of the gated MLP
  int vocab = 0;        // rows of the embedding matrix
  int max_context = 0;  // max_position_embeddings, or the sliding window if shorter; tokens
  double rms_norm_eps = 1e-6;
  double rope_theta = 10000.0;
  std::optional<RopeScaling> rope_scaling;
  bool tied_embeddings = false;
  // Biases: on q, k, v (Qwen2 always; Llama's attention_bias also on o), on the MLP.
  bool qkv_bias = false;
  bool o_bias = false;
  bool mlp_bias = false;
  int32_t bos_token = 1;
  std::vector<int32_t> eos_tokens;  // config.json, then generation_config.json, without duplicates

  int q_width() const { return heads * head_dim; }
  int kv_width() const { return kv_heads * head_dim; }
};

absl::StatusOr<ModelConfig> LoadModelConfig(const std::filesystem::path& model_dir);

// `source` names the file in error messages.
absl::StatusOr<ModelConfig> ParseModelConfig(std::string_view json, std::string_view source);

// Angle per position of each of the head_dim / 2 rotary pairs, scaling applied. Pair i turns
// dimensions i and i + head_dim / 2.
std::vector<double> RopeFrequencies(const ModelConfig& config);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MODEL_MODEL_CONFIG_H_
