#include "tests/integration/random_model.h"

#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/model/safetensors_writer.h"

namespace memory3 {
namespace {

using Entry = SafetensorsWriter::Entry;

absl::Status WriteConfig(const RandomModelShape& shape, const std::filesystem::path& folder) {
  std::ofstream file(folder / "config.json");
  file << R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu")"
       << ", \"hidden_size\": " << shape.hidden << ", \"num_hidden_layers\": " << shape.layers
       << ", \"num_attention_heads\": " << shape.heads
       << ", \"num_key_value_heads\": " << shape.kv_heads << ", \"head_dim\": " << shape.head_dim
       << ", \"intermediate_size\": " << shape.mlp << ", \"vocab_size\": " << shape.vocab
       << ", \"max_position_embeddings\": " << shape.max_context
       << R"(, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": true)"
       << R"(, "bos_token_id": 1, "eos_token_id": 256})"
       << "\n";
  file.close();
  return file.good() ? absl::OkStatus() : absl::DataLossError("cannot write config.json");
}

std::vector<Entry> Entries(const RandomModelShape& shape) {
  const int64_t hidden = shape.hidden;
  const int64_t q = int64_t{shape.heads} * shape.head_dim;
  const int64_t kv = int64_t{shape.kv_heads} * shape.head_dim;
  std::vector<Entry> entries = {
      {"model.embed_tokens.weight", DType::kF32, {shape.vocab, hidden}},
      {"model.norm.weight", DType::kF32, {hidden}},
  };
  for (int layer = 0; layer < shape.layers; ++layer) {
    const auto add = [&](const char* name, std::vector<int64_t> dims) {
      entries.push_back(
          {absl::StrCat("model.layers.", layer, ".", name, ".weight"), DType::kF32, dims});
    };
    add("input_layernorm", {hidden});
    add("self_attn.q_proj", {q, hidden});
    add("self_attn.k_proj", {kv, hidden});
    add("self_attn.v_proj", {kv, hidden});
    add("self_attn.o_proj", {hidden, q});
    add("post_attention_layernorm", {hidden});
    add("mlp.gate_proj", {shape.mlp, hidden});
    add("mlp.up_proj", {shape.mlp, hidden});
    add("mlp.down_proj", {hidden, shape.mlp});
  }
  return entries;
}

}  // namespace

absl::Status WriteRandomModel(const RandomModelShape& shape, uint32_t seed,
                              const std::filesystem::path& folder) {
  M3_RETURN_IF_ERROR(WriteConfig(shape, folder));
  const std::vector<Entry> entries = Entries(shape);
  M3_ASSIGN_OR_RETURN(SafetensorsWriter writer,
                      SafetensorsWriter::Create(folder / "model.safetensors", entries));
  std::mt19937 random(seed);
  // Wide enough that attention and the choice of tokens depend on everything before them.
  std::normal_distribution<float> weight(0.0f, 0.25f);
  std::normal_distribution<float> gain(1.0f, 0.1f);
  for (const Entry& entry : entries) {
    int64_t count = 1;
    for (const int64_t dim : entry.shape) count *= dim;
    std::vector<float> values(count);
    for (float& value : values) value = entry.shape.size() == 1 ? gain(random) : weight(random);
    M3_RETURN_IF_ERROR(writer.Append(
        {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float)}));
  }
  return writer.Finish();
}

}  // namespace memory3
