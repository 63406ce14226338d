#include "tests/unit/runner/random_model.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <random>
#include <utility>
#include <vector>

#include "engine/base/bfloat16.h"
#include "engine/base/check.h"
#include "engine/model/safetensors_writer.h"

namespace memory3 {
namespace {

struct RandomTensor {
  std::string name;
  std::vector<int64_t> shape;
  float mean, deviation;
};

std::vector<RandomTensor> TensorsOf(const ModelConfig& c) {
  std::vector<RandomTensor> tensors;
  const auto matrix = [&](const std::string& name, int64_t out, int64_t in) {
    tensors.push_back({name + ".weight", {out, in}, 0, 1 / std::sqrt(static_cast<float>(in))});
  };
  const auto bias = [&](bool present, const std::string& name, int64_t size) {
    if (present) tensors.push_back({name + ".bias", {size}, 0, 0.3f});
  };
  const auto norm = [&](const std::string& name) {
    tensors.push_back({name + ".weight", {c.hidden}, 1, 0.2f});
  };
  tensors.push_back({"model.embed_tokens.weight", {c.vocab, c.hidden}, 0, 1});
  if (!c.tied_embeddings) matrix("lm_head", c.vocab, c.hidden);
  norm("model.norm");
  for (int i = 0; i < c.layers; ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    norm(layer + "input_layernorm");
    norm(layer + "post_attention_layernorm");
    for (const auto& [name, width] :
         {std::pair{"q", c.q_width()}, {"k", c.kv_width()}, {"v", c.kv_width()}}) {
      matrix(layer + "self_attn." + name + "_proj", width, c.hidden);
      bias(c.qkv_bias, layer + "self_attn." + name + "_proj", width);
    }
    matrix(layer + "self_attn.o_proj", c.hidden, c.q_width());
    bias(c.o_bias, layer + "self_attn.o_proj", c.hidden);
    for (const char* name : {"gate", "up"}) {
      matrix(layer + "mlp." + name + "_proj", c.mlp, c.hidden);
      bias(c.mlp_bias, layer + "mlp." + name + "_proj", c.mlp);
    }
    matrix(layer + "mlp.down_proj", c.hidden, c.mlp);
    bias(c.mlp_bias, layer + "mlp.down_proj", c.hidden);
  }
  return tensors;
}

}  // namespace

RandomModel MakeRandomModel(const ModelConfig& config, uint32_t seed) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(testing::TempDir()) /
                          ("random_model_" + std::to_string(getpid()) + "_" + std::to_string(seed));
  fs::create_directories(folder);
  const std::vector<RandomTensor> tensors = TensorsOf(config);
  std::vector<SafetensorsWriter::Entry> entries;
  for (const RandomTensor& t : tensors) entries.push_back({t.name, DType::kBF16, t.shape});
  auto writer = SafetensorsWriter::Create(folder / "model.safetensors", entries);
  M3_CHECK(writer.ok());
  std::mt19937 random(seed);
  for (const RandomTensor& t : tensors) {
    std::normal_distribution<float> normal(t.mean, t.deviation);
    int64_t count = 1;
    for (const int64_t size : t.shape) count *= size;
    std::vector<uint16_t> values(count);
    for (uint16_t& value : values) value = ToBfloat16(normal(random));
    M3_CHECK(
        writer->Append({reinterpret_cast<const uint8_t*>(values.data()), values.size() * 2}).ok());
  }
  M3_CHECK(writer->Finish().ok());
  auto weights = ModelWeights::Open(folder, config);
  M3_CHECK(weights.ok());
  fs::remove_all(folder);  // the mapping stays
  return {config, *std::move(weights)};
}

}  // namespace memory3
