// ModelWeights on folders written file by file: which files are opened, and what is refused.
#include "engine/model/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <random>

#include "engine/model/safetensors_writer.h"
#include "nlohmann/json.hpp"

namespace memory3 {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr char kEmbedding[] = "model.embed_tokens.weight";
constexpr char kLmHead[] = "lm_head.weight";
constexpr char kQ[] = "model.layers.0.self_attn.q_proj.weight";

// Name -> shape of a one-layer model: hidden 4, two heads of two dimensions, one KV head, MLP 3,
// vocabulary 5. Every value of a tensor is the tensor's number in this list.
const std::map<std::string, std::vector<int64_t>>& Tensors() {
  static const auto* const tensors = new std::map<std::string, std::vector<int64_t>>{
      {kEmbedding, {5, 4}},
      {kLmHead, {5, 4}},
      {kQ, {4, 4}},
      {"model.layers.0.input_layernorm.weight", {4}},
      {"model.layers.0.mlp.down_proj.weight", {4, 3}},
      {"model.layers.0.mlp.gate_proj.weight", {3, 4}},
      {"model.layers.0.mlp.up_proj.weight", {3, 4}},
      {"model.layers.0.post_attention_layernorm.weight", {4}},
      {"model.layers.0.self_attn.k_proj.weight", {2, 4}},
      {"model.layers.0.self_attn.o_proj.weight", {4, 4}},
      {"model.layers.0.self_attn.v_proj.weight", {2, 4}},
      {"model.norm.weight", {4}},
  };
  return *tensors;
}

class WeightsTest : public testing::Test {
 protected:
  using Names = std::vector<std::string>;

  WeightsTest() : folder_(testing::TempDir() + "w" + std::to_string(std::random_device{}())) {
    std::filesystem::create_directories(folder_);
  }
  ~WeightsTest() override { std::filesystem::remove_all(folder_); }

  static Names AllBut(const Names& absent) {
    Names names;
    for (const auto& [name, shape] : Tensors()) {
      if (std::find(absent.begin(), absent.end(), name) == absent.end()) names.push_back(name);
    }
    return names;
  }

  void Write(const std::string& file, const Names& names) {
    std::vector<SafetensorsWriter::Entry> entries;
    for (const std::string& name : names)
      entries.push_back({name, DType::kF32, Tensors().at(name)});
    auto writer = SafetensorsWriter::Create(folder_ / file, entries);
    ASSERT_TRUE(writer.ok()) << writer.status();
    for (const std::string& name : names) {
      int64_t count = 1;
      for (int64_t dimension : Tensors().at(name)) count *= dimension;
      const std::vector<float> values(count, NumberOf(name));
      ASSERT_TRUE(
          writer->Append({reinterpret_cast<const uint8_t*>(values.data()), values.size() * 4})
              .ok());
    }
    ASSERT_TRUE(writer->Finish().ok());
  }
  // One tensor with this header entry, in a file of its own.
  void WriteEntry(const std::string& file, const std::string& name, const json& entry,
                  size_t bytes) {
    const std::string header = json{{name, entry}}.dump();
    const uint64_t length = header.size();
    std::ofstream(folder_ / file, std::ios::binary)
        << std::string(reinterpret_cast<const char*>(&length), 8) << header
        << std::string(bytes, '\0');
  }
  void WriteIndex(const json& weight_map) {
    std::ofstream(folder_ / "model.safetensors.index.json") << json{{"weight_map", weight_map}};
  }

  absl::StatusOr<ModelWeights> Open(bool tied = false) const {
    ModelConfig config{.architecture = "LlamaForCausalLM", .hidden = 4, .layers = 1, .heads = 2};
    config.kv_heads = 1;
    config.head_dim = 2;
    config.mlp = 3;
    config.vocab = 5;
    config.tied_embeddings = tied;
    return ModelWeights::Open(folder_, config);
  }
  void ExpectRefused(const std::vector<std::string>& words, bool tied = false) const {
    const absl::Status status = Open(tied).status();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()), HasSubstr(folder_.string()));
    for (const std::string& word : words)
      EXPECT_THAT(std::string(status.message()), HasSubstr(word));
  }

  static float NumberOf(const std::string& name) {
    return static_cast<float>(std::distance(Tensors().begin(), Tensors().find(name)));
  }
  static float FirstOf(const Tensor& tensor) {
    float value;
    ReadFloats(tensor, 0, absl::MakeSpan(&value, 1));
    return value;
  }

  const std::filesystem::path folder_;
};

TEST_F(WeightsTest, PutsEveryTensorInItsPlace) {
  Write("model.safetensors", AllBut({}));
  const auto weights = Open();
  ASSERT_TRUE(weights.ok()) << weights.status();
  const LayerWeights& layer = weights->layer(0);
  const std::string prefix = "model.layers.0.";
  for (const auto& [tensor, name] :
       {std::pair(&weights->embedding(), std::string(kEmbedding)),
        {&weights->lm_head(), kLmHead},
        {&weights->final_norm(), "model.norm.weight"},
        {&layer.input_norm, prefix + "input_layernorm.weight"},
        {&layer.post_attention_norm, prefix + "post_attention_layernorm.weight"},
        {&layer.q_proj, kQ},
        {&layer.k_proj, prefix + "self_attn.k_proj.weight"},
        {&layer.v_proj, prefix + "self_attn.v_proj.weight"},
        {&layer.o_proj, prefix + "self_attn.o_proj.weight"},
        {&layer.gate_proj, prefix + "mlp.gate_proj.weight"},
        {&layer.up_proj, prefix + "mlp.up_proj.weight"},
        {&layer.down_proj, prefix + "mlp.down_proj.weight"}}) {
    EXPECT_EQ(tensor->name, name);
    EXPECT_EQ(FirstOf(*tensor), NumberOf(name));
  }
  EXPECT_FALSE(layer.q_bias.present() || layer.o_bias.present() || layer.up_bias.present());
  EXPECT_EQ(weights->parameters(), 5 * 4 * 2 + 16 * 2 + 8 * 2 + 12 * 3 + 4 * 3);
}

TEST_F(WeightsTest, SharesATiedMatrixUnderEitherName) {
  for (const char* absent : {kEmbedding, kLmHead}) {
    Write("model.safetensors", AllBut({absent}));
    const auto weights = Open(/*tied=*/true);
    ASSERT_TRUE(weights.ok()) << weights.status();
    EXPECT_EQ(weights->embedding().data.data(), weights->lm_head().data.data());
    EXPECT_EQ(weights->parameters(), 5 * 4 + 16 * 2 + 8 * 2 + 12 * 3 + 4 * 3);
    ExpectRefused({absent, "missing"}, /*tied=*/false);
  }
  Write("model.safetensors", AllBut({}));  // both are stored: each is itself
  const auto both = Open(/*tied=*/true);
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_EQ(FirstOf(both->embedding()), NumberOf(kEmbedding));
  EXPECT_EQ(FirstOf(both->lm_head()), NumberOf(kLmHead));
  Write("model.safetensors", AllBut({kEmbedding, kLmHead}));
  ExpectRefused({"missing"}, /*tied=*/true);
}

TEST_F(WeightsTest, ReadsPiecesWithoutAnIndex) {
  Write("consolidated-1.safetensors", {kQ});
  Write("consolidated-2.safetensors", AllBut({kQ}));
  EXPECT_TRUE(Open().ok()) << Open().status();
  Write("consolidated-1.safetensors", {kQ, kLmHead});
  ExpectRefused({"consolidated-2", kLmHead, "is also in", "consolidated-1"});
  Write("model.safetensors", AllBut({}));  // the usual name wins over loose pieces
  EXPECT_TRUE(Open().ok()) << Open().status();
}

TEST_F(WeightsTest, HoldsTheIndexAgainstTheShards) {
  Write("a.safetensors", {kQ});
  Write("b.safetensors", AllBut({kQ}));
  json map;
  for (const auto& [name, shape] : Tensors())
    map[name] = name == kQ ? "a.safetensors" : "b.safetensors";
  WriteIndex(map);
  EXPECT_TRUE(Open().ok()) << Open().status();

  const auto refused_with = [&](const std::string& tensor, const json& shard,
                                const std::vector<std::string>& words) {
    json changed = map;
    changed[tensor] = shard;
    WriteIndex(changed);
    ExpectRefused(words);
  };
  refused_with(kQ, "b.safetensors", {"b.safetensors", kQ, "missing"});
  refused_with("no.such.tensor", "a.safetensors", {"a.safetensors", "no.such.tensor", "missing"});
  refused_with(kQ, "c.safetensors", {"c.safetensors"});
  refused_with(kQ, "../a.safetensors", {"index.json", kQ, "not a file name"});
  refused_with(kQ, 5, {"index.json", kQ, "not a file name"});
  refused_with(kQ, "", {"not a regular file"});
  WriteIndex(json::object());
  ExpectRefused({"index.json", "weight_map", "no tensor"});
  WriteIndex(5);
  ExpectRefused({"index.json", "weight_map"});
  std::ofstream(folder_ / "model.safetensors.index.json") << "{";
  ExpectRefused({"index.json", "not valid JSON"});
}

TEST_F(WeightsTest, RefusesWhatCannotBeUsedButNotWhatNobodyNeeds) {
  Write("b.safetensors", AllBut({kQ}));
  const auto entry = [](const char* dtype, const json& shape, int bytes) {
    return json{{"dtype", dtype}, {"shape", shape}, {"data_offsets", {0, bytes}}};
  };
  WriteEntry("a.safetensors", kQ, entry("F64", {4, 4}, 128), 128);
  ExpectRefused({"a.safetensors", kQ, "F64"});
  WriteEntry("a.safetensors", kQ, entry("F32", {0, 4}, 0), 0);
  ExpectRefused({"a.safetensors", kQ, "[0, 4]", "[4, 4]"});
  WriteEntry("a.safetensors", kQ, entry("F16", {16}, 32), 32);
  ExpectRefused({"a.safetensors", kQ, "[16]", "[4, 4]"});
  WriteEntry("a.safetensors", kQ, entry("F16", {4, 4}, 32), 32);
  EXPECT_TRUE(Open().ok()) << Open().status();
  WriteEntry("c.safetensors", "model.layers.0.rotary_emb.inv_freq", entry("F64", {1}, 8), 8);
  EXPECT_TRUE(Open().ok()) << Open().status();
  std::filesystem::create_directory(folder_ / "d.safetensors");
  ExpectRefused({"d.safetensors", "not a regular file"});
}

TEST_F(WeightsTest, RefusesFoldersWithoutACheckpoint) {
  ExpectRefused({"no .safetensors file"});
  const auto nowhere = ModelWeights::Open(folder_ / "nowhere", ModelConfig{});
  EXPECT_EQ(nowhere.status().code(), absl::StatusCode::kNotFound) << nowhere.status();
}

}  // namespace
}  // namespace memory3
