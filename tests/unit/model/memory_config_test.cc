#include "engine/model/memory_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace memory3 {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ModelConfig Model(int layers = 6) {
  ModelConfig model;
  model.layers = layers;
  model.heads = 8;
  model.kv_heads = 4;
  model.head_dim = 80;
  return model;
}

absl::StatusOr<MemoryConfig> Parse(const std::string& object, const std::string& overrides = "") {
  return ParseMemoryConfig("{\"memory3\": " + object + "}", overrides, Model(), "config.json");
}

TEST(MemoryConfig, DefaultsAreThePapers) {
  const auto memory = ParseMemoryConfig("{}", "", Model(), "config.json");
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_THAT(memory->layers, ElementsAre(0, 1, 2));
  EXPECT_EQ(memory->reference_tokens, 128);
  EXPECT_EQ(memory->kept_tokens, 8);
  EXPECT_EQ(memory->memories_per_chunk, 5);
  EXPECT_EQ(memory->chunk_tokens, 64);
  EXPECT_EQ(memory->reference_prefix, "<s>Reference:");
  EXPECT_EQ(memory->selection, TokenSelection::kSoftmaxSum);
}

TEST(MemoryConfig, ReadsEveryKeyAndSortsLayers) {
  const auto memory = Parse(
      R"({"memory_layers": [4, 1], "reference_tokens": 64, "kept_tokens": 64,
          "memories_per_chunk": 3, "chunk_tokens": 32, "reference_prefix": "Note:",
          "selection": "exp_sum"})");
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_THAT(memory->layers, ElementsAre(1, 4));
  EXPECT_EQ(memory->reference_tokens, 64);
  EXPECT_EQ(memory->kept_tokens, 64);
  EXPECT_EQ(memory->memories_per_chunk, 3);
  EXPECT_EQ(memory->chunk_tokens, 32);
  EXPECT_EQ(memory->reference_prefix, "Note:");
  EXPECT_EQ(memory->selection, TokenSelection::kExpSum);
}

TEST(MemoryConfig, OverridesWinKeyByKey) {
  const auto memory = Parse(R"({"kept_tokens": 4, "chunk_tokens": 16})", R"({"kept_tokens": 5})");
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_EQ(memory->kept_tokens, 5);
  EXPECT_EQ(memory->chunk_tokens, 16);
}

TEST(MemoryConfig, NamesWhatIsWrong) {
  const struct {
    const char* object;
    const char* key;
  } cases[] = {
      {R"({"memory_layers": []})", "memory_layers"},
      {R"({"memory_layers": 3})", "memory_layers"},
      {R"({"memory_layers": [0, 6]})", "memory_layers"},
      {R"({"memory_layers": [-1]})", "memory_layers"},
      {R"({"memory_layers": [1, 1]})", "memory_layers"},
      {R"({"memory_layers": [0.5]})", "memory_layers"},
      {R"({"reference_tokens": 0})", "reference_tokens"},
      {R"({"reference_tokens": 1e9})", "reference_tokens"},
      {R"({"kept_tokens": 129})", "kept_tokens"},
      {R"({"kept_tokens": "8"})", "kept_tokens"},
      {R"({"memories_per_chunk": 0})", "memories_per_chunk"},
      {R"({"chunk_tokens": -64})", "chunk_tokens"},
      {R"({"reference_prefix": 1})", "reference_prefix"},
      {R"({"selection": "best"})", "selection"},
      {R"({"kept": 8})", "kept"},
      {R"([1])", "memory3"},
  };
  for (const auto& wrong : cases) {
    const auto memory = Parse(wrong.object);
    ASSERT_FALSE(memory.ok()) << wrong.object;
    EXPECT_EQ(memory.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(memory.status().message()), HasSubstr(wrong.key));
    EXPECT_THAT(std::string(memory.status().message()), HasSubstr("config.json"));
  }
}

TEST(MemoryConfig, ASingleLayerHasNoFirstHalf) {
  const auto memory = ParseMemoryConfig("{}", "", Model(1), "config.json");
  ASSERT_FALSE(memory.ok());
  EXPECT_THAT(std::string(memory.status().message()), HasSubstr("memory_layers"));
}

TEST(MemoryShape, PublishedShapeIsWholeBlocks) {
  ModelConfig model = Model(44);
  model.kv_heads = 8;
  const auto memory = ParseMemoryConfig("{}", "", model, "config.json");
  ASSERT_TRUE(memory.ok()) << memory.status();
  const MemoryShape shape = MemoryShapeOf(*memory, model);
  EXPECT_EQ(shape.bytes(), 110 * 4096);
  EXPECT_EQ(shape.layer_elements() * 2, 5 * 4096);
  EXPECT_EQ(Describe(shape), "22 layers, 8 KV heads, 8 tokens, head_dim 80, BF16");
}

}  // namespace
}  // namespace memory3
