#include "engine/model/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "nlohmann/json.hpp"

namespace memory3 {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

json Llama() {
  return {{"architectures", {"LlamaForCausalLM"}},
          {"hidden_size", 64},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 8},
          {"intermediate_size", 96},
          {"vocab_size", 100},
          {"max_position_embeddings", 128},
          {"rms_norm_eps", 1e-5},
          {"eos_token_id", 2}};
}

json With(json config, const char* field, const json& value) {
  config[field] = value;
  return config;
}

absl::StatusOr<ModelConfig> Parse(const json& config) {
  return ParseModelConfig(config.dump(), "dir/config.json");
}

void ExpectRefused(const json& config, const std::string& words) {
  const auto parsed = Parse(config);
  ASSERT_FALSE(parsed.ok()) << words;
  EXPECT_THAT(std::string(parsed.status().message()),
              testing::AllOf(HasSubstr("dir/config.json"), HasSubstr(words)));
}

TEST(ModelConfig, FillsInDefaults) {
  const auto config = Parse(Llama());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->kv_heads, 8);
  EXPECT_EQ(config->head_dim, 8);
  EXPECT_EQ(config->rope_theta, 10000.0);
  EXPECT_EQ(config->rms_norm_eps, 1e-5);
  EXPECT_FALSE(config->qkv_bias || config->o_bias || config->mlp_bias || config->tied_embeddings);
  EXPECT_THAT(config->eos_tokens, ElementsAre(2));
}

TEST(ModelConfig, KnowsTheBiasesOfEachArchitecture) {
  const auto qwen = Parse(With(Llama(), "architectures", {"Qwen2ForCausalLM"}));
  EXPECT_TRUE(qwen->qkv_bias && !qwen->o_bias);
  const auto llama = Parse(With(Llama(), "attention_bias", true));
  EXPECT_TRUE(llama->qkv_bias && llama->o_bias);
}

TEST(ModelConfig, CapsTheContextToASlidingWindow) {
  const json windowed = With(Llama(), "sliding_window", 32);
  EXPECT_EQ(Parse(With(windowed, "architectures", {"MistralForCausalLM"}))->max_context, 32);
  const json qwen = With(windowed, "architectures", {"Qwen2ForCausalLM"});
  EXPECT_EQ(Parse(qwen)->max_context, 128);  // use_sliding_window is false by default
  EXPECT_EQ(Parse(With(qwen, "use_sliding_window", true))->max_context, 32);
  // Mistral has no such switch.
  EXPECT_EQ(Parse(With(With(windowed, "architectures", {"MistralForCausalLM"}),
                       "use_sliding_window", false))
                ->max_context,
            32);
  EXPECT_EQ(
      Parse(With(With(Llama(), "architectures", {"MistralForCausalLM"}), "sliding_window", nullptr))
          ->max_context,
      128);
}

TEST(ModelConfig, TakesListsOfEndTokens) {
  EXPECT_THAT(Parse(With(Llama(), "eos_token_id", {5, 7, 5}))->eos_tokens, ElementsAre(5, 7));
}

TEST(ModelConfig, RefusesWithTheFieldsName) {
  ExpectRefused(json::array(), "not a JSON object");
  ExpectRefused(With(Llama(), "architectures", {"GPT2LMHeadModel"}),
                "'GPT2LMHeadModel' is not supported");
  ExpectRefused(With(Llama(), "hidden_act", "gelu"), "hidden_act");
  ExpectRefused(With(Llama(), "hidden_size", -1), "hidden_size");
  ExpectRefused(With(Llama(), "hidden_size", uint64_t{1} << 63), "hidden_size");
  ExpectRefused(With(Llama(), "hidden_size", 2.5), "hidden_size");
  ExpectRefused(With(Llama(), "hidden_size", 68), "not a multiple of num_attention_heads");
  ExpectRefused(With(Llama(), "num_key_value_heads", 3), "num_key_value_heads");
  ExpectRefused(With(Llama(), "head_dim", 7), "even");
  ExpectRefused(With(Llama(), "rms_norm_eps", 0), "rms_norm_eps");
  ExpectRefused(With(Llama(), "rope_scaling", {{"rope_type", "yarn"}, {"factor", 4}}),
                "'yarn' is not supported");
  ExpectRefused(With(Llama(), "rope_scaling", {{"rope_type", "llama3"}, {"factor", 4}}),
                "low_freq_factor");
  ExpectRefused(With(Llama(), "quantization_config", json::object()), "quantization_config");
  ExpectRefused(With(Llama(), "partial_rotary_factor", 0.5), "partial_rotary_factor");
  ExpectRefused(
      With(Llama(), "rope_parameters", {{"rope_theta", 1e4}, {"partial_rotary_factor", 0.5}}),
      "partial_rotary_factor");
  ExpectRefused(With(Llama(), "rope_parameters", {{"full_attention", {{"rope_theta", 1e4}}}}),
                "full_attention");
  ExpectRefused(With(Llama(), "rope_scaling", {{"rope_type", "linear"}}), "factor: missing");
  ExpectRefused(With(Llama(), "rope_scaling", "linear"), "rope_scaling");
  ExpectRefused(With(Llama(), "eos_token_id", "x"), "eos_token_id");
  ExpectRefused(With(Llama(), "eos_token_id", {2, -1}), "eos_token_id");
  json incomplete = Llama();
  incomplete.erase("vocab_size");
  ExpectRefused(incomplete, "vocab_size: missing");
}

// Values of a separate program in double precision, from the definition of the rule: head_dim 16,
// rope_theta 500000, factor 8, low 1, high 4, original context 8192.
TEST(RopeFrequencies, FollowsLlama3Scaling) {
  json config = With(With(Llama(), "head_dim", 16), "rope_theta", 500000.0);
  const auto plain = Parse(config);
  config["rope_scaling"] = {{"rope_type", "llama3"},
                            {"factor", 8.0},
                            {"low_freq_factor", 1.0},
                            {"high_freq_factor", 4.0},
                            {"original_max_position_embeddings", 8192}};
  const auto scaled = Parse(config);
  ASSERT_TRUE(scaled.ok()) << scaled.status();
  const double expected[] = {1.0,
                             0.19392274474868576,
                             0.03760603093086393,
                             0.0072926647372171085,
                             0.0005248461609929547,
                             3.428102195952591e-05,
                             6.647869871181236e-06,
                             1.2891731721515574e-06};
  const std::vector<double> frequencies = RopeFrequencies(*scaled);
  ASSERT_EQ(frequencies.size(), 8u);
  for (int i = 0; i < 8; ++i) EXPECT_NEAR(frequencies[i], expected[i], 1e-12 * expected[i]) << i;
  EXPECT_NEAR(RopeFrequencies(*plain)[7], 8 * expected[7], 1e-15);

  json newer = With(With(Llama(), "head_dim", 16), "rope_parameters", config["rope_scaling"]);
  newer["rope_parameters"]["rope_theta"] = 500000.0;
  EXPECT_EQ(RopeFrequencies(*Parse(newer)), frequencies);
}

TEST(RopeFrequencies, DividesByTheLinearFactor) {
  const auto plain = Parse(Llama());
  const auto linear = Parse(With(Llama(), "rope_scaling", {{"type", "linear"}, {"factor", 2.5}}));
  for (int i = 0; i < 4; ++i)
    EXPECT_DOUBLE_EQ(RopeFrequencies(*linear)[i], RopeFrequencies(*plain)[i] / 2.5);
}

TEST(ModelConfig, ReadsEndTokensOfBothFiles) {
  const std::filesystem::path folder =
      testing::TempDir() + "config" + std::to_string(std::random_device{}());
  std::filesystem::create_directories(folder);
  EXPECT_EQ(LoadModelConfig(folder).status().code(), absl::StatusCode::kNotFound);
  std::ofstream(folder / "config.json") << Llama();
  EXPECT_THAT(LoadModelConfig(folder)->eos_tokens, ElementsAre(2));
  std::ofstream(folder / "generation_config.json") << R"({"eos_token_id": [7, 2]})";
  EXPECT_THAT(LoadModelConfig(folder)->eos_tokens, ElementsAre(2, 7));
  std::ofstream(folder / "generation_config.json") << R"({"eos_token_id": 1.5})";
  EXPECT_THAT(std::string(LoadModelConfig(folder).status().message()),
              testing::AllOf(HasSubstr("generation_config.json"), HasSubstr("eos_token_id")));
  // A link to itself is an error like any other, not an exception.
  std::filesystem::remove(folder / "generation_config.json");
  std::filesystem::create_symlink("generation_config.json", folder / "generation_config.json");
  EXPECT_FALSE(LoadModelConfig(folder).ok());
  std::filesystem::remove_all(folder);
}

TEST(ModelConfig, RefusesEndlessNesting) {
  std::string text = With(Llama(), "eos_token_id", "here").dump();
  const std::string deep = std::string(2'000'000, '[') + std::string(2'000'000, ']');
  text.replace(text.find("\"here\""), 6, deep);
  EXPECT_THAT(std::string(ParseModelConfig(text, "config.json").status().message()),
              HasSubstr("nested more than 64 deep"));
}

TEST(ModelConfig, LeavesRoomForTheMemoryObject) {
  EXPECT_TRUE(Parse(With(Llama(), "memory3", {{"kept_tokens", 8}})).ok());
}

TEST(ModelConfig, NeverCrashesOnMutatedFiles) {
  const std::string text = Llama().dump();
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 3000; ++round) {
    std::string mutated = text;
    for (int flips = 0; flips < 2; ++flips) mutated[random() % mutated.size()] ^= 1 << random() % 8;
    const auto config = ParseModelConfig(mutated, "config.json");
    EXPECT_TRUE(!config.ok() || config->heads % config->kv_heads == 0);
  }
}

}  // namespace
}  // namespace memory3
