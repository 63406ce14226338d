// Every weight is where the kernels look for it.
#include "engine/cuda/device_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/cuda/upload.h"
#include "tests/unit/cuda/kernel_test_support.h"
#include "tests/unit/runner/random_model.h"

namespace memory3::cuda {
namespace {

ModelConfig Config(bool biases, bool tied) {
  ModelConfig config;
  config.hidden = 24;
  config.layers = 3;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 6;
  config.mlp = 40;
  config.vocab = 50;
  config.max_context = 64;
  config.qkv_bias = config.o_bias = config.mlp_bias = biases;
  config.tied_embeddings = tied;
  return config;
}

// Elements [begin, begin + tensor.elements()) of `device` are the tensor's.
template <typename T>
void ExpectTensor(const T* device, int64_t begin, const Tensor& tensor) {
  std::vector<float> expected(tensor.elements());
  ReadFloats(tensor, 0, absl::MakeSpan(expected));
  std::vector<T> got(expected.size());
  Stream stream = NewStream();
  stream.CopyToHost(got.data(), device + begin, got.size() * sizeof(T));
  ASSERT_TRUE(stream.Synchronize().ok());
  // The checkpoint is bf16: exact in both types.
  const bool equal = std::equal(got.begin(), got.end(), expected.begin(),
                                [](T a, float b) { return ToFloat(a) == b; });
  EXPECT_TRUE(equal) << tensor.name;
}

template <typename T>
void CheckModel(const ModelConfig& config) {
  const RandomModel random = MakeRandomModel(config, 7);
  Stream stream = NewStream();
  const auto model = DeviceModel<T>::Upload(config, random.weights, config.max_context, stream);
  ASSERT_TRUE(model.ok()) << model.status();
  const int64_t q = config.q_width(), kv = config.kv_width(), hidden = config.hidden,
                mlp = config.mlp;
  ExpectTensor(model->embedding(), 0, random.weights.embedding());
  ExpectTensor(model->lm_head(), 0, random.weights.lm_head());
  ExpectTensor(model->final_norm(), 0, random.weights.final_norm());
  EXPECT_EQ(model->lm_head() == model->embedding(), config.tied_embeddings);
  for (int i = 0; i < config.layers; ++i) {
    const LayerWeights& weights = random.weights.layer(i);
    const DeviceLayer<T>& layer = model->layer(i);
    ExpectTensor(layer.input_norm, 0, weights.input_norm);
    ExpectTensor(layer.post_attention_norm, 0, weights.post_attention_norm);
    ExpectTensor(layer.qkv, 0, weights.q_proj);
    ExpectTensor(layer.qkv, q * hidden, weights.k_proj);
    ExpectTensor(layer.qkv, (q + kv) * hidden, weights.v_proj);
    ExpectTensor(layer.o, 0, weights.o_proj);
    ExpectTensor(layer.gate_up, 0, weights.gate_proj);
    ExpectTensor(layer.gate_up, mlp * hidden, weights.up_proj);
    ExpectTensor(layer.down, 0, weights.down_proj);
    EXPECT_EQ(layer.qkv_bias != nullptr, config.qkv_bias);
    if (!config.qkv_bias) continue;
    ExpectTensor(layer.qkv_bias, 0, weights.q_bias);
    ExpectTensor(layer.qkv_bias, q, weights.k_bias);
    ExpectTensor(layer.qkv_bias, q + kv, weights.v_bias);
    ExpectTensor(layer.o_bias, 0, weights.o_bias);
    ExpectTensor(layer.gate_up_bias, 0, weights.gate_bias);
    ExpectTensor(layer.gate_up_bias, mlp, weights.up_bias);
    ExpectTensor(layer.down_bias, 0, weights.down_bias);
  }
  EXPECT_EQ(model->bytes(), DeviceModel<T>::Bytes(config, config.max_context));
  EXPECT_GT(model->bytes(), model->bytes_per_step());
}

TEST(DeviceModelTest, HoldsEveryWeight) {
  CheckModel<float>(Config(false, false));
  CheckModel<float>(Config(true, true));
  CheckModel<BFloat16>(Config(true, false));
  CheckModel<BFloat16>(Config(false, true));
}

TEST(DeviceModelTest, HoldsTheAnglesOfEveryPosition) {
  const ModelConfig config = Config(false, false);
  const RandomModel random = MakeRandomModel(config, 7);
  Stream stream = NewStream();
  const auto model = DeviceModel<float>::Upload(config, random.weights, 50, stream);
  ASSERT_TRUE(model.ok()) << model.status();
  const std::vector<double> frequencies = RopeFrequencies(config);
  for (int position = 0; position < 50; ++position) {
    for (size_t i = 0; i < frequencies.size(); ++i) {
      const double angle = position * frequencies[i];
      const size_t at = position * frequencies.size() + i;
      EXPECT_NEAR(model->rope().cosines[at], std::cos(angle), 1e-6);
      EXPECT_NEAR(model->rope().sines[at], std::sin(angle), 1e-6);
    }
  }
}

// A tensor larger than the pieces it travels in.
TEST(UploaderTest, CutsTensorsIntoPieces) {
  std::vector<float> values(1000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const Tensor tensor = {
      "x", DType::kF32, {1000}, {reinterpret_cast<const uint8_t*>(values.data()), 4000}};
  Stream stream = NewStream();
  absl::StatusOr<Uploader> uploader = Uploader::Create(stream, 96);
  ASSERT_TRUE(uploader.ok());
  TestArray<float> floats(1000);
  TestArray<BFloat16> words(1000);
  ASSERT_TRUE(uploader->CopyTensor(tensor, floats.device()).ok());
  ASSERT_TRUE(uploader->CopyTensor(tensor, words.device()).ok());
  ASSERT_TRUE(stream.Synchronize().ok());
  EXPECT_EQ(floats.Download(), values);
  const std::vector<BFloat16> rounded = words.Download();
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(rounded[i].bits, FromFloat<BFloat16>(values[i]).bits);
  }
}

}  // namespace
}  // namespace memory3::cuda
