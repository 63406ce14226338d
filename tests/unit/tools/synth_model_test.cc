#include "tools/synth_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <random>
#include <sstream>

#include "engine/base/bfloat16.h"
#include "engine/base/half.h"
#include "engine/model/model_config.h"
#include "engine/model/weights.h"
#include "engine/text/chat_template.h"
#include "engine/text/tokenizer.h"

namespace memory3 {
namespace {

using testing::HasSubstr;

class SynthModelTest : public testing::Test {
 protected:
  SynthModelTest() : root_(testing::TempDir() + "synth" + std::to_string(std::random_device{}())) {}
  ~SynthModelTest() override { std::filesystem::remove_all(root_); }

  std::filesystem::path Write(const std::string& name, const SynthShape& shape,
                              const SynthOptions& options) {
    const absl::Status status = WriteSynthModel(shape, options, root_ / name);
    EXPECT_TRUE(status.ok()) << status;
    return root_ / name;
  }
  static std::string Bytes(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    std::ostringstream bytes;
    bytes << stream.rdbuf();
    return bytes.str();
  }
  static ModelWeights Load(const std::filesystem::path& folder) {
    const auto config = LoadModelConfig(folder);
    EXPECT_TRUE(config.ok()) << config.status();
    auto weights = ModelWeights::Open(folder, *config);
    EXPECT_TRUE(weights.ok()) << weights.status();
    return *std::move(weights);
  }
  static std::vector<float> Floats(const Tensor& tensor) {
    std::vector<float> values(tensor.elements());
    ReadFloats(tensor, 0, absl::MakeSpan(values));
    return values;
  }

  const SynthShape small_ = {
      .hidden = 24, .layers = 2, .heads = 4, .kv_heads = 2, .head_dim = 6, .mlp = 40, .vocab = 300};
  const std::filesystem::path root_;
};

TEST_F(SynthModelTest, DependsOnTheSeedAlone) {
  const auto one = Write("one", small_, {.seed = 5, .threads = 1});
  const auto two = Write("two", small_, {.seed = 5, .threads = 3});
  const auto other = Write("other", small_, {.seed = 6});
  EXPECT_EQ(Bytes(one / "model.safetensors"), Bytes(two / "model.safetensors"));
  EXPECT_NE(Bytes(one / "model.safetensors"), Bytes(other / "model.safetensors"));
}

TEST_F(SynthModelTest, LoadsInEveryVariant) {
  for (const char* architecture : {"LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM"}) {
    for (bool flag : {false, true}) {
      SynthShape shape = small_;
      shape.architecture = architecture;
      shape.tied_embeddings = shape.attention_bias = shape.mlp_bias = flag;
      const auto folder =
          Write(std::string(architecture) + (flag ? "1" : "0"), shape, {.dtype = DType::kF32});
      const ModelWeights weights = Load(folder);
      EXPECT_EQ(weights.lm_head().data.data() == weights.embedding().data.data(), flag);
      EXPECT_EQ(weights.layer(1).down_bias.present(), flag);
      EXPECT_EQ(weights.total_bytes(), weights.parameters() * 4);
    }
  }
}

TEST_F(SynthModelTest, RoundsTheSameNumbersToEveryDtype) {
  const ModelWeights f32 = Load(Write("f32", small_, {.dtype = DType::kF32}));
  const ModelWeights bf16 = Load(Write("bf16", small_, {.dtype = DType::kBF16}));
  const ModelWeights f16 = Load(Write("f16", small_, {.dtype = DType::kF16}));
  std::vector<float> to_bf16 = Floats(f32.layer(0).q_proj), to_f16 = to_bf16;
  for (float& value : to_bf16) value = FromBfloat16(ToBfloat16(value));
  for (float& value : to_f16) value = FromHalf(ToHalf(value));
  EXPECT_EQ(Floats(bf16.layer(0).q_proj), to_bf16);
  EXPECT_EQ(Floats(f16.layer(0).q_proj), to_f16);
}

TEST_F(SynthModelTest, ReplacesAModelOfAnotherCut) {
  const auto folder = Write("model", small_, {.seed = 1, .max_shard_bytes = 5000});
  std::ofstream(folder / "notes.txt") << "mine";
  // One file where there were several, and then several again: nothing old is read.
  SynthShape deeper = small_;
  deeper.layers = 3;
  Write("model", deeper, {.seed = 2, .overwrite = true});
  const ModelWeights whole = Load(folder);
  EXPECT_EQ(Floats(whole.layer(2).q_proj),
            Floats(Load(Write("fresh", deeper, {.seed = 2})).layer(2).q_proj));
  EXPECT_FALSE(std::filesystem::exists(folder / "model.safetensors.index.json"));
  Write("model", small_, {.seed = 1, .max_shard_bytes = 5000, .overwrite = true});
  EXPECT_FALSE(std::filesystem::exists(folder / "model.safetensors"));
  EXPECT_EQ(Floats(Load(folder).layer(1).q_proj),
            Floats(Load(Write("one", small_, {.seed = 1})).layer(1).q_proj));
  EXPECT_EQ(Bytes(folder / "notes.txt"), "mine");
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    EXPECT_NE(entry.path().extension(), ".partial");
}

TEST_F(SynthModelTest, FollowsTheNormalDistribution) {
  SynthShape shape = small_;
  shape.hidden = 100;
  shape.mlp = 1000;
  const ModelWeights weights = Load(Write("model", shape, {.dtype = DType::kF32}));
  const std::vector<float> values = Floats(weights.layer(0).gate_proj);
  double sum = 0, squares = 0;
  for (const float value : values) sum += value, squares += double{value} * value;
  const double count = static_cast<double>(values.size());
  EXPECT_NEAR(sum / count, 0, 0.002);
  EXPECT_NEAR(std::sqrt(squares / count), 0.1, 0.002);  // one over the root of the inputs
}

TEST_F(SynthModelTest, ShardsLikePublishedCheckpoints) {
  const ModelWeights whole = Load(Write("whole", small_, {}));
  const auto folder = Write("sharded", small_, {.max_shard_bytes = 5000});
  EXPECT_FALSE(std::filesystem::exists(folder / "model.safetensors"));
  EXPECT_TRUE(std::filesystem::exists(folder / "model.safetensors.index.json"));
  const ModelWeights sharded = Load(folder);
  EXPECT_EQ(sharded.total_bytes(), whole.total_bytes());
  EXPECT_EQ(Floats(sharded.layer(1).up_proj), Floats(whole.layer(1).up_proj));

  // A shard that is missing, and one that is cut short, are named.
  const std::string shard = (*std::filesystem::directory_iterator(folder)).path().string();
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().filename().string().rfind("model-00002", 0) != 0) continue;
    std::filesystem::resize_file(entry.path(), entry.file_size() - 1);
    const auto cut = ModelWeights::Open(folder, *LoadModelConfig(folder));
    EXPECT_THAT(std::string(cut.status().message()), HasSubstr("model-00002"));
    std::filesystem::remove(entry.path());
    const auto missing = ModelWeights::Open(folder, *LoadModelConfig(folder));
    EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(std::string(missing.status().message()), HasSubstr("model-00002"));
    break;
  }
}

TEST_F(SynthModelTest, ChecksWeightsAgainstTheConfiguration) {
  const auto folder = Write("model", small_, {});
  ModelConfig config = *LoadModelConfig(folder);
  config.mlp += 1;
  EXPECT_THAT(std::string(ModelWeights::Open(folder, config).status().message()),
              testing::AllOf(HasSubstr("gate_proj"), HasSubstr("[40, 24]"), HasSubstr("[41, 24]")));
  config.mlp -= 1;
  config.layers = 3;
  EXPECT_THAT(std::string(ModelWeights::Open(folder, config).status().message()),
              testing::AllOf(HasSubstr("model.layers.2"), HasSubstr("missing")));
}

TEST_F(SynthModelTest, TellsEveryTokenApart) {
  const auto folder = Write("model", small_, {});
  const auto tokenizer = LoadTokenizer(folder);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->vocab_size(), 300);
  const std::string text = "h\xC3\xA9llo <s>";
  EXPECT_EQ(
      (*tokenizer)->Decode((*tokenizer)->Encode(text, {.parse_special_tokens = false}), false),
      text);
  EXPECT_EQ((*tokenizer)->TokenBytes(299), " t299");
  EXPECT_EQ((*tokenizer)->Encode("a", {.add_special_tokens = true}),
            (std::vector<int32_t>{256, 'a'}));
  const auto chat = ChatTemplate::Load(folder);
  ASSERT_TRUE(chat.ok() && chat->has_value()) << chat.status();
  EXPECT_EQ(*(**chat).Render({{"user", "hi"}}, true), "<s>user: hi\nassistant:");
}

TEST_F(SynthModelTest, RefusesBadShapesAndFoldersInUse) {
  SynthShape bad = small_;
  bad.vocab = 10;
  EXPECT_THAT(std::string(WriteSynthModel(bad, {}, root_ / "bad").message()), HasSubstr("vocab"));
  bad = small_;
  bad.kv_heads = 3;
  EXPECT_THAT(std::string(WriteSynthModel(bad, {}, root_ / "bad").message()),
              HasSubstr("num_key_value_heads"));
  EXPECT_FALSE(std::filesystem::exists(root_ / "bad"));
  Write("model", small_, {});
  EXPECT_EQ(WriteSynthModel(small_, {}, root_ / "model").code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(WriteSynthModel(small_, {.overwrite = true}, root_ / "model").ok());
  EXPECT_FALSE(WriteSynthModel(small_, {}, "/proc/nothing/here").ok());
}

}  // namespace
}  // namespace memory3
