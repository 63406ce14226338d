#include "engine/model/model_config.h"

#include <algorithm>
#include <array>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "engine/base/read_file.h"
#include "engine/base/status_macros.h"
#include "engine/model/json_fields.h"

namespace memory3 {
namespace {

// Sanity bounds, far above any published model: they keep products of two of them inside 64 bits.
constexpr int kMaxWidth = 1 << 20;
constexpr int kMaxLayers = 1 << 12;
constexpr int kMaxHeads = 1 << 12;
constexpr int kMaxHeadDim = 1 << 12;
constexpr int kMaxVocab = 1 << 24;
constexpr int kMaxContext = 1 << 28;
constexpr int64_t kMaxConfigBytes = int64_t{16} << 20;

constexpr std::array<absl::string_view, 3> kArchitectures = {
    "LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM"};

absl::Status RefusePartialRotary(const JsonFields& fields) {
  M3_ASSIGN_OR_RETURN(const double rotary, fields.Positive("partial_rotary_factor", 1.0));
  if (rotary != 1.0) return fields.Error("partial_rotary_factor", "only 1 is supported");
  return absl::OkStatus();
}

// Fields that change what is computed and that this engine does not implement; harmless when
// absent, null, or as given here.
absl::Status RefuseUnsupported(const JsonFields& fields) {
  M3_ASSIGN_OR_RETURN(const std::string activation, fields.String("hidden_act", "silu"));
  if (activation != "silu")
    return fields.Error("hidden_act",
                        absl::StrCat("'", activation, "' is not supported, only 'silu'"));
  M3_RETURN_IF_ERROR(RefusePartialRotary(fields));
  for (const char* name :
       {"quantization_config", "num_local_experts", "num_experts", "attn_logit_softcapping",
        "final_logit_softcapping", "query_pre_attn_scalar"}) {
    if (fields.Has(name)) return fields.Error(name, "not supported");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadArchitecture(const JsonFields& fields) {
  if (!fields.Has("architectures")) return fields.Error("architectures", "missing");
  const nlohmann::json& list = fields.at("architectures");
  if (!list.is_array() || list.size() != 1 || !list[0].is_string()) {
    return fields.Error("architectures", "must be a list with one name");
  }
  std::string name = list[0].get<std::string>();
  if (std::find(kArchitectures.begin(), kArchitectures.end(), name) == kArchitectures.end()) {
    return fields.Error("architectures",
                        absl::StrCat("'", name, "' is not supported; supported are ",
                                     absl::StrJoin(kArchitectures, ", ")));
  }
  return name;
}

absl::StatusOr<RopeScaling> ReadLlama3Scaling(const JsonFields& fields) {
  RopeScaling scaling{.kind = RopeScaling::Kind::kLlama3};
  for (const char* name :
       {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}) {
    if (!fields.Has(name)) return fields.Error(name, "missing");
  }
  M3_ASSIGN_OR_RETURN(scaling.factor, fields.Positive("factor", 1));
  M3_ASSIGN_OR_RETURN(scaling.low_freq_factor, fields.Positive("low_freq_factor", 1));
  M3_ASSIGN_OR_RETURN(scaling.high_freq_factor, fields.Positive("high_freq_factor", 4));
  M3_ASSIGN_OR_RETURN(scaling.original_max_position_embeddings,
                      fields.Int("original_max_position_embeddings", 1, kMaxContext));
  if (scaling.high_freq_factor <= scaling.low_freq_factor) {
    return fields.Error("high_freq_factor", "must be above low_freq_factor");
  }
  return scaling;
}

// Both spellings: `rope_theta` with `rope_scaling`, and the newer `rope_parameters` that holds
// everything.
absl::Status ReadRope(const JsonFields& fields, ModelConfig& config) {
  M3_ASSIGN_OR_RETURN(config.rope_theta, fields.Positive("rope_theta", config.rope_theta));
  for (const char* name : {"rope_scaling", "rope_parameters"}) {
    if (!fields.Has(name)) continue;
    if (!fields.at(name).is_object()) return fields.Error(name, "must be an object");
    const JsonFields rope(fields.at(name), absl::StrCat(fields.source(), ": ", name));
    for (const auto& [key, value] : fields.at(name).items()) {
      if (value.is_object()) return rope.Error(key, "settings per layer type are not supported");
    }
    M3_RETURN_IF_ERROR(RefusePartialRotary(rope));
    M3_ASSIGN_OR_RETURN(config.rope_theta, rope.Positive("rope_theta", config.rope_theta));
    M3_ASSIGN_OR_RETURN(const std::string old_type, rope.String("type", "default"));
    M3_ASSIGN_OR_RETURN(const std::string type, rope.String("rope_type", old_type));
    if (type == "llama3") {
      M3_ASSIGN_OR_RETURN(config.rope_scaling, ReadLlama3Scaling(rope));
    } else if (type == "linear") {
      if (!rope.Has("factor")) return rope.Error("factor", "missing");
      config.rope_scaling = RopeScaling{.kind = RopeScaling::Kind::kLinear};
      M3_ASSIGN_OR_RETURN(config.rope_scaling->factor, rope.Positive("factor", 1));
    } else if (type != "default") {
      return rope.Error(
          "rope_type",
          absl::StrCat("'", type, "' is not supported; supported are default, linear, llama3"));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadShape(const JsonFields& fields, ModelConfig& config) {
  M3_ASSIGN_OR_RETURN(config.hidden, fields.Int("hidden_size", 1, kMaxWidth));
  M3_ASSIGN_OR_RETURN(config.layers, fields.Int("num_hidden_layers", 1, kMaxLayers));
  M3_ASSIGN_OR_RETURN(config.heads, fields.Int("num_attention_heads", 1, kMaxHeads));
  M3_ASSIGN_OR_RETURN(config.kv_heads,
                      fields.Int("num_key_value_heads", 1, kMaxHeads, config.heads));
  M3_ASSIGN_OR_RETURN(config.mlp, fields.Int("intermediate_size", 1, kMaxWidth));
  M3_ASSIGN_OR_RETURN(config.vocab, fields.Int("vocab_size", 1, kMaxVocab));
  M3_ASSIGN_OR_RETURN(config.max_context, fields.Int("max_position_embeddings", 1, kMaxContext));
  if (config.heads % config.kv_heads != 0) {
    return fields.Error(
        "num_key_value_heads",
        absl::StrCat(config.kv_heads, " does not divide num_attention_heads ", config.heads));
  }
  if (!fields.Has("head_dim") && config.hidden % config.heads != 0) {
    return fields.Error("hidden_size",
                        "not a multiple of num_attention_heads, and head_dim is not given");
  }
  M3_ASSIGN_OR_RETURN(config.head_dim,
                      fields.Int("head_dim", 1, kMaxHeadDim, config.hidden / config.heads));
  if (config.head_dim < 2 || config.head_dim % 2 != 0) {
    return fields.Error("head_dim",
                        absl::StrCat("must be even for rotary embeddings, got ", config.head_dim));
  }
  return absl::OkStatus();
}

// A sliding window changes nothing for contexts that fit in it, so the context is capped to it
// instead. Mistral's window holds whenever it is given, Qwen2's only where it is switched on, and
// Llama has none.
absl::Status CapToSlidingWindow(const JsonFields& fields, ModelConfig& config) {
  M3_ASSIGN_OR_RETURN(const bool switched_on, fields.Bool("use_sliding_window", false));
  const bool used = config.architecture == "MistralForCausalLM" || switched_on;
  if (!used || !fields.Has("sliding_window")) return absl::OkStatus();
  M3_ASSIGN_OR_RETURN(const int window, fields.Int("sliding_window", 1, kMaxContext));
  config.max_context = std::min(config.max_context, window);
  return absl::OkStatus();
}

absl::Status AddEosTokens(const JsonFields& fields, ModelConfig& config) {
  if (!fields.Has("eos_token_id")) return absl::OkStatus();
  const nlohmann::json& value = fields.at("eos_token_id");
  const nlohmann::json list = value.is_array() ? value : nlohmann::json::array({value});
  for (const nlohmann::json& id : list) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() >= kMaxVocab) {
      return fields.Error("eos_token_id", absl::StrCat("not a token id: ", id.dump()));
    }
    const int32_t token = id.get<int32_t>();
    if (std::find(config.eos_tokens.begin(), config.eos_tokens.end(), token) ==
        config.eos_tokens.end()) {
      config.eos_tokens.push_back(token);
    }
  }
  return absl::OkStatus();
}

absl::Status ReadBiases(const JsonFields& fields, ModelConfig& config) {
  const bool qwen2 = config.architecture == "Qwen2ForCausalLM";
  M3_ASSIGN_OR_RETURN(const bool attention_bias, fields.Bool("attention_bias", false));
  config.qkv_bias = qwen2 || attention_bias;
  config.o_bias = !qwen2 && attention_bias;
  M3_ASSIGN_OR_RETURN(config.mlp_bias, fields.Bool("mlp_bias", false));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ModelConfig> ParseModelConfig(std::string_view text, std::string_view source) {
  M3_ASSIGN_OR_RETURN(const nlohmann::json json,
                      ParseJsonObject(std::string(text), std::string(source)));
  const JsonFields fields(json, std::string(source));
  ModelConfig config;
  M3_ASSIGN_OR_RETURN(config.architecture, ReadArchitecture(fields));
  M3_RETURN_IF_ERROR(RefuseUnsupported(fields));
  M3_RETURN_IF_ERROR(ReadShape(fields, config));
  M3_RETURN_IF_ERROR(ReadRope(fields, config));
  M3_RETURN_IF_ERROR(ReadBiases(fields, config));
  M3_RETURN_IF_ERROR(CapToSlidingWindow(fields, config));
  M3_RETURN_IF_ERROR(AddEosTokens(fields, config));
  M3_ASSIGN_OR_RETURN(config.rms_norm_eps, fields.Positive("rms_norm_eps", config.rms_norm_eps));
  M3_ASSIGN_OR_RETURN(config.tied_embeddings, fields.Bool("tie_word_embeddings", false));
  M3_ASSIGN_OR_RETURN(config.bos_token, fields.Int("bos_token_id", 0, kMaxVocab, config.bos_token));
  return config;
}

absl::StatusOr<ModelConfig> LoadModelConfig(const std::filesystem::path& model_dir) {
  const std::filesystem::path file = model_dir / "config.json";
  M3_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kMaxConfigBytes));
  M3_ASSIGN_OR_RETURN(ModelConfig config, ParseModelConfig(text, file.string()));

  const std::filesystem::path generation = model_dir / "generation_config.json";
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::symlink_status(generation, error);
  if (std::filesystem::exists(status)) {
    M3_ASSIGN_OR_RETURN(const std::string generation_text, ReadFile(generation, kMaxConfigBytes));
    M3_ASSIGN_OR_RETURN(const nlohmann::json json,
                        ParseJsonObject(generation_text, generation.string()));
    M3_RETURN_IF_ERROR(AddEosTokens(JsonFields(json, generation.string()), config));
  }
  return config;
}

}  // namespace memory3
