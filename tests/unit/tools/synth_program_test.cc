// memory3-synth as a program: what its flags mean together, and what it answers to wrong ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "engine/model/model_config.h"
#include "tests/unit/tools/child_process.h"

namespace memory3 {
namespace {

using testing::HasSubstr;

class SynthProgramTest : public testing::Test {
 protected:
  SynthProgramTest()
      : folder_(testing::TempDir() + "synth_program" + std::to_string(std::random_device{}())) {}
  ~SynthProgramTest() override { std::filesystem::remove_all(folder_); }

  static FinishedProgram Run(std::vector<std::string> flags) {
    flags.insert(flags.begin(), M3_BINARY_DIR "/bin/memory3-synth");
    return RunProgram(flags, "");
  }
  FinishedProgram Write(std::vector<std::string> flags) const {
    flags.push_back("--out=" + folder_.string());
    return Run(std::move(flags));
  }
  ModelConfig Config() const {
    const auto config = LoadModelConfig(folder_);
    EXPECT_TRUE(config.ok()) << config.status();
    return config.value_or(ModelConfig{});
  }

  const std::filesystem::path folder_;
};

// Also values that happen to be the program's own defaults.
TEST_F(SynthProgramTest, LetsAGivenFlagWinOverTheNamedShape) {
  const FinishedProgram done = Write({"--shape=memory3-2b", "--hidden", "64", "--layers=4",
                                      "--mlp=768", "--vocab=1024", "--notied"});
  ASSERT_EQ(done.status, 0) << done.err;
  const ModelConfig config = Config();
  EXPECT_EQ(config.hidden, 64);
  EXPECT_EQ(config.layers, 4);
  EXPECT_EQ(config.mlp, 768);
  EXPECT_EQ(config.vocab, 1024);
  EXPECT_FALSE(config.tied_embeddings);
  EXPECT_EQ(config.heads, 40);  // the shape's
  EXPECT_EQ(config.kv_heads, 8);
  EXPECT_EQ(config.head_dim, 80);
}

TEST_F(SynthProgramTest, RefusesWrongFlagsByName) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong = {
      {{"--shape=gpt"}, "'gpt'"},          {{"--dtype=int8"}, "'int8'"},
      {{"--vocab=10"}, "vocab"},           {{"--head_dim=7"}, "head_dim"},
      {{"--kv_heads=3"}, "heads"},         {{"--architecture=X"}, "'X'"},
      {{"--rope_theta=-1"}, "rope_theta"}, {{"word"}, "flags only"},
  };
  for (const auto& [flags, word] : wrong) {
    const FinishedProgram done = Write(flags);
    EXPECT_EQ(done.status, 2) << flags[0];
    EXPECT_THAT(done.err, HasSubstr(word));
    EXPECT_FALSE(std::filesystem::exists(folder_));
  }
  EXPECT_THAT(Run({}).err, HasSubstr("--out"));
}

TEST_F(SynthProgramTest, WritesOverAModelOnlyWhenForced) {
  const std::vector<std::string> small = {"--hidden=8", "--head_dim=2", "--mlp=8", "--layers=1"};
  ASSERT_EQ(Write(small).status, 0);
  const FinishedProgram again = Write(small);
  EXPECT_EQ(again.status, 1);
  EXPECT_THAT(again.err, HasSubstr("not empty"));
  EXPECT_EQ(Write({"--force", "--hidden=8", "--head_dim=2", "--mlp=8", "--layers=2"}).status, 0);
  EXPECT_EQ(Config().layers, 2);
}

TEST_F(SynthProgramTest, ExplainsItself) {
  const FinishedProgram help = Run({"--help"});
  EXPECT_EQ(help.status, 0);
  for (const char* word : {"--out", "--shape", "memory3-2b", "--kv_heads", "--force", "--seed"})
    EXPECT_THAT(help.out, HasSubstr(word));
}

}  // namespace
}  // namespace memory3
