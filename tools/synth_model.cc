#include "tools/synth_model.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/status_macros.h"
#include "engine/base/thread_pool.h"
#include "engine/model/model_config.h"
#include "engine/model/safetensors_writer.h"
#include "nlohmann/json.hpp"
#include "tools/model_folder.h"
#include "tools/synth_tokenizer.h"
#include "tools/synth_weights.h"

namespace memory3 {
namespace {

constexpr int32_t kBos = 256;
constexpr int32_t kEos = 257;

struct SynthTensor {
  SafetensorsWriter::Entry entry;
  float mean;
  float deviation;
};

absl::Status CheckPositive(const char* name, int64_t value) {
  if (value > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, ": must be above 0, got ", value));
}

absl::Status CheckShape(const SynthShape& s) {
  for (const auto& [name, value] : {std::pair("hidden", s.hidden),
                                    {"layers", s.layers},
                                    {"heads", s.heads},
                                    {"kv_heads", s.kv_heads},
                                    {"head_dim", s.head_dim},
                                    {"mlp", s.mlp},
                                    {"context", s.context}}) {
    M3_RETURN_IF_ERROR(CheckPositive(name, value));
  }
  if (s.vocab < kSynthMinVocab) {
    return absl::InvalidArgumentError(
        absl::StrCat("vocab: must be at least ", kSynthMinVocab, ", got ", s.vocab));
  }
  return absl::OkStatus();
}

nlohmann::ordered_json ConfigJson(const SynthShape& s, DType dtype) {
  const char* torch_dtype = dtype == DType::kF32   ? "float32"
                            : dtype == DType::kF16 ? "float16"
                                                   : "bfloat16";
  const char* model_type = s.architecture == "Qwen2ForCausalLM"     ? "qwen2"
                           : s.architecture == "MistralForCausalLM" ? "mistral"
                                                                    : "llama";
  return {{"architectures", {s.architecture}},
          {"model_type", model_type},
          {"hidden_size", s.hidden},
          {"num_hidden_layers", s.layers},
          {"num_attention_heads", s.heads},
          {"num_key_value_heads", s.kv_heads},
          {"head_dim", s.head_dim},
          {"intermediate_size", s.mlp},
          {"vocab_size", s.vocab},
          {"max_position_embeddings", s.context},
          {"rms_norm_eps", 1e-6},
          {"rope_theta", s.rope_theta},
          {"hidden_act", "silu"},
          {"attention_bias", s.attention_bias},
          {"mlp_bias", s.mlp_bias},
          {"tie_word_embeddings", s.tied_embeddings},
          {"torch_dtype", torch_dtype},
          {"bos_token_id", kBos},
          {"eos_token_id", kEos}};
}

// Matrices keep the size of what passes through them; norms are near one; biases are small.
std::vector<SynthTensor> ListTensors(const SynthShape& s, const ModelConfig& config, DType dtype) {
  std::vector<SynthTensor> tensors;
  const auto matrix = [&](const std::string& name, int64_t outputs, int64_t inputs) {
    const float deviation = 1.0f / std::sqrt(static_cast<float>(inputs));
    tensors.push_back({{absl::StrCat(name, ".weight"), dtype, {outputs, inputs}}, 0.0f, deviation});
  };
  const auto norm = [&](const std::string& name) {
    tensors.push_back({{absl::StrCat(name, ".weight"), dtype, {s.hidden}}, 1.0f, 0.02f});
  };
  const auto bias = [&](bool wanted, const std::string& name, int64_t size) {
    if (wanted) tensors.push_back({{absl::StrCat(name, ".bias"), dtype, {size}}, 0.0f, 0.02f});
  };
  const int64_t q = config.q_width(), kv = config.kv_width();
  tensors.push_back({{"model.embed_tokens.weight", dtype, {s.vocab, s.hidden}}, 0.0f, 0.02f});
  for (int layer = 0; layer < s.layers; ++layer) {
    const std::string prefix = absl::StrCat("model.layers.", layer, ".");
    const std::string attention = absl::StrCat(prefix, "self_attn."),
                      mlp = absl::StrCat(prefix, "mlp.");
    norm(prefix + "input_layernorm");
    for (const auto& [name, width] : {std::pair("q_proj", q), {"k_proj", kv}, {"v_proj", kv}}) {
      matrix(attention + name, width, s.hidden);
      bias(config.qkv_bias, attention + name, width);
    }
    matrix(attention + "o_proj", s.hidden, q);
    bias(config.o_bias, attention + "o_proj", s.hidden);
    norm(prefix + "post_attention_layernorm");
    for (const char* name : {"gate_proj", "up_proj"}) {
      matrix(mlp + name, s.mlp, s.hidden);
      bias(config.mlp_bias, mlp + name, s.mlp);
    }
    matrix(mlp + "down_proj", s.hidden, s.mlp);
    bias(config.mlp_bias, mlp + "down_proj", s.hidden);
  }
  norm("model.norm");
  if (!s.tied_embeddings) matrix("lm_head", s.vocab, s.hidden);
  return tensors;
}

int64_t Elements(const SynthTensor& tensor) {
  int64_t elements = 1;
  for (int64_t dimension : tensor.entry.shape) elements *= dimension;
  return elements;
}

// First tensor of every shard, and the end.
std::vector<size_t> CutShards(const std::vector<SynthTensor>& tensors, int64_t max_bytes) {
  std::vector<size_t> cuts = {0};
  int64_t bytes = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const int64_t size = Elements(tensors[i]) * SizeOf(tensors[i].entry.dtype);
    if (bytes > 0 && bytes + size > max_bytes) {
      cuts.push_back(i);
      bytes = 0;
    }
    bytes += size;
  }
  cuts.push_back(tensors.size());
  return cuts;
}

// Tensor number `index` of the model draws from its own stream of random numbers, wherever it is
// stored.
absl::Status WriteShard(const std::vector<SynthTensor>& tensors, size_t begin, size_t end,
                        const SynthOptions& options, ThreadPool& pool,
                        const std::filesystem::path& file) {
  std::vector<SafetensorsWriter::Entry> entries;
  for (size_t i = begin; i < end; ++i) entries.push_back(tensors[i].entry);
  M3_ASSIGN_OR_RETURN(SafetensorsWriter writer, SafetensorsWriter::Create(file, entries));
  constexpr int64_t kPieceElements = int64_t{1} << 21;
  std::vector<uint8_t> bytes;
  for (size_t i = begin; i < end; ++i) {
    const RandomWeights weights(options.seed, i, tensors[i].mean, tensors[i].deviation);
    const int64_t elements = Elements(tensors[i]);
    for (int64_t first = 0; first < elements; first += kPieceElements) {
      const int64_t count = std::min(kPieceElements, elements - first);
      bytes.resize(count * SizeOf(options.dtype));
      weights.Fill(first, count, options.dtype, pool, bytes.data());
      M3_RETURN_IF_ERROR(writer.Append(bytes));
    }
  }
  return writer.Finish();
}

absl::Status WriteWeights(const std::vector<SynthTensor>& tensors, const SynthOptions& options,
                          const std::filesystem::path& folder) {
  ThreadPool pool(options.threads);
  const std::vector<size_t> cuts = CutShards(tensors, options.max_shard_bytes);
  const size_t shards = cuts.size() - 1;
  if (shards == 1)
    return WriteShard(tensors, 0, tensors.size(), options, pool, folder / "model.safetensors");
  nlohmann::ordered_json map;
  int64_t total = 0;
  for (size_t shard = 0; shard < shards; ++shard) {
    const std::string name = absl::StrFormat("model-%05d-of-%05d.safetensors", shard + 1, shards);
    M3_RETURN_IF_ERROR(
        WriteShard(tensors, cuts[shard], cuts[shard + 1], options, pool, folder / name));
    for (size_t i = cuts[shard]; i < cuts[shard + 1]; ++i) {
      map[tensors[i].entry.name] = name;
      total += Elements(tensors[i]) * SizeOf(tensors[i].entry.dtype);
    }
  }
  const nlohmann::ordered_json index = {{"metadata", {{"total_size", total}}}, {"weight_map", map}};
  return WriteModelText(folder / "model.safetensors.index.json", index.dump(2) + "\n");
}

}  // namespace

std::optional<SynthShape> NamedSynthShape(absl::string_view name) {
  if (name == "memory3-2b") {
    return SynthShape{.hidden = 3200,
                      .layers = 44,
                      .heads = 40,
                      .kv_heads = 8,
                      .head_dim = 80,
                      .mlp = 3200,
                      .vocab = 60416,
                      .context = 2048,
                      .tied_embeddings = true};
  }
  if (name == "llama-1b2") {
    return SynthShape{.hidden = 2048,
                      .layers = 24,
                      .heads = 32,
                      .kv_heads = 8,
                      .head_dim = 64,
                      .mlp = 5632,
                      .vocab = 32000,
                      .context = 2048};
  }
  return std::nullopt;
}

absl::Status WriteSynthModel(const SynthShape& shape, const SynthOptions& options,
                             const std::filesystem::path& folder) {
  M3_RETURN_IF_ERROR(CheckShape(shape));
  const std::string config_text = ConfigJson(shape, options.dtype).dump(2) + "\n";
  // The loader's own rules decide what a valid configuration is.
  M3_ASSIGN_OR_RETURN(const ModelConfig config, ParseModelConfig(config_text, "config.json"));
  M3_RETURN_IF_ERROR(PrepareModelFolder(folder, options.overwrite));
  M3_RETURN_IF_ERROR(WriteWeights(ListTensors(shape, config, options.dtype), options, folder));
  M3_RETURN_IF_ERROR(WriteModelText(folder / "tokenizer.json", SynthTokenizerJson(shape.vocab)));
  M3_RETURN_IF_ERROR(
      WriteModelText(folder / "tokenizer_config.json", SynthTokenizerConfigJson(shape.context)));
  const nlohmann::ordered_json generation = {{"bos_token_id", kBos}, {"eos_token_id", kEos}};
  M3_RETURN_IF_ERROR(WriteModelText(folder / "generation_config.json", generation.dump(2) + "\n"));
  // Last: a folder with a config.json is whole.
  return WriteModelText(folder / "config.json", config_text);
}

}  // namespace memory3
