#include "engine/model/fingerprint.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "engine/model/memory_config.h"
#include "engine/model/weights.h"
#include "tools/synth_model.h"

namespace memory3 {
namespace {

class FingerprintTest : public testing::Test {
 protected:
  FingerprintTest() {
    std::string name = testing::TempDir() + "/fingerprint_XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  ~FingerprintTest() override { std::filesystem::remove_all(folder_); }

  // Of a model with 4 layers, the first 2 of them for memories.
  static SynthShape Shape() {
    return {.hidden = 32,
            .layers = 4,
            .heads = 4,
            .kv_heads = 2,
            .head_dim = 8,
            .mlp = 64,
            .vocab = 300,
            .context = 256};
  }
  std::filesystem::path Write(const std::string& name, uint64_t seed) {
    const absl::Status status = WriteSynthModel(Shape(), {.seed = seed}, folder_ / name);
    EXPECT_TRUE(status.ok()) << status;
    return folder_ / name;
  }
  struct Model {
    ModelConfig config;
    MemoryConfig memory;
    std::vector<int32_t> prefix = {1, 5, 9};
  };
  using Change = std::function<void(Model&)>;
  std::string Of(const std::filesystem::path& dir, const Change& change = nullptr) {
    Model model;
    const auto config = LoadModelConfig(dir);
    EXPECT_TRUE(config.ok()) << config.status();
    model.config = *config;
    model.memory = *LoadMemoryConfig(dir, "", model.config);
    const auto weights = ModelWeights::Open(dir, model.config);
    EXPECT_TRUE(weights.ok()) << weights.status();
    if (change) change(model);
    return ModelFingerprint(model.config, model.memory, model.prefix, *weights);
  }

  std::filesystem::path folder_;
};

TEST_F(FingerprintTest, IsTheSameForTheSameModelOnly) {
  const std::filesystem::path model = Write("a", 1);
  const std::string print = Of(model);
  EXPECT_EQ(print.size(), 32u);
  EXPECT_EQ(print.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(Of(model), print);
  EXPECT_EQ(Of(Write("b", 1)), print);
  EXPECT_NE(Of(Write("c", 2)), print);
}

TEST_F(FingerprintTest, CoversEverySettingThatChangesAMemory) {
  const std::filesystem::path model = Write("a", 1);
  const Change changes[] = {
      [](Model& m) { m.config.rms_norm_eps *= 1.0000001; },
      [](Model& m) { m.config.rope_theta += 0.001; },
      [](Model& m) { m.config.rope_scaling = RopeScaling{.factor = 2}; },
      [](Model& m) { m.config.rope_scaling = RopeScaling{.factor = 2.5}; },
      [](Model& m) { m.config.heads = 2; },
      [](Model& m) { m.memory.layers = {0}; },
      [](Model& m) { m.memory.layers = {1}; },
      [](Model& m) { m.memory.reference_tokens = 64; },
      [](Model& m) { m.memory.kept_tokens = 4; },
      [](Model& m) { m.memory.selection = TokenSelection::kExpSum; },
      [](Model& m) {
        m.prefix = {1, 5};
      },
      [](Model& m) {
        m.prefix = {1, 59};
      },
  };
  std::set<std::string> prints = {Of(model)};
  for (size_t i = 0; i < std::size(changes); ++i) {
    EXPECT_TRUE(prints.insert(Of(model, changes[i])).second) << "change " << i;
  }
  // These decide how memories are used, and not what they are.
  const Change harmless[] = {[](Model& m) { m.memory.memories_per_chunk = 3; },
                             [](Model& m) { m.memory.chunk_tokens = 32; },
                             [](Model& m) { m.config.max_context = 128; }};
  for (const Change& change : harmless) EXPECT_EQ(Of(model, change), Of(model));
}

// Flips one bit of every tensor of the checkpoint in turn.
TEST_F(FingerprintTest, CoversEveryWeightUpToTheLastMemoryLayer) {
  const std::filesystem::path model = Write("a", 1);
  const std::string print = Of(model);
  const std::filesystem::path file = model / "model.safetensors";
  std::vector<std::pair<std::string, uint64_t>> places;  // a byte in the middle of each tensor
  {
    const auto opened = SafetensorsFile::Open(file);
    ASSERT_TRUE(opened.ok()) << opened.status();
    std::ifstream in(file, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    for (const auto& [name, tensor] : opened->tensors()) {
      const std::string data(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size());
      places.emplace_back(name, bytes.find(data) + data.size() / 2);
    }
  }
  ASSERT_GT(places.size(), 30u);
  for (const auto& [name, at] : places) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    const auto flip = [&stream, at = at] {
      stream.seekg(static_cast<std::streamoff>(at));
      const int byte = stream.get();
      stream.seekp(static_cast<std::streamoff>(at));
      stream.put(static_cast<char>(byte ^ 1));
      stream.flush();
    };
    flip();
    const bool late = name.find("layers.2.") != std::string::npos ||
                      name.find("layers.3.") != std::string::npos || name == "model.norm.weight" ||
                      name == "lm_head.weight";
    EXPECT_EQ(Of(model) == print, late) << name;
    flip();
  }
  EXPECT_EQ(Of(model), print);
}

}  // namespace
}  // namespace memory3
