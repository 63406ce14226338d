#include "engine/memory/reference_prefix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>

#include "tools/synth_model.h"
#include "tools/synth_tokenizer.h"

namespace memory3 {
namespace {

using ::testing::ElementsAre;

// One token per byte; <s> is 256.
std::unique_ptr<Tokenizer> ByteTokenizer() {
  const std::string file = testing::TempDir() + "/reference_prefix_tokenizer.json";
  std::ofstream(file) << SynthTokenizerJson(kSynthMinVocab);
  auto tokenizer = LoadTokenizerJson(file);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return *std::move(tokenizer);
}

absl::StatusOr<std::vector<int32_t>> IdsOf(const std::string& prefix) {
  MemoryConfig memory;
  memory.reference_prefix = prefix;
  ModelConfig model;
  model.bos_token = 77;  // however the tokenizer spells it
  return ReferencePrefixIds(memory, model, *ByteTokenizer());
}

TEST(ReferencePrefixTest, ALeadingBosIsTheModels) {
  EXPECT_THAT(IdsOf("<s>Ref:").value(), ElementsAre(77, 'R', 'e', 'f', ':'));
  EXPECT_THAT(IdsOf("<s>").value(), ElementsAre(77));
}

TEST(ReferencePrefixTest, TheRestIsText) {
  EXPECT_THAT(IdsOf("Ref").value(), ElementsAre('R', 'e', 'f'));
  EXPECT_THAT(IdsOf("a<s>").value(), ElementsAre('a', '<', 's', '>'));
  EXPECT_THAT(IdsOf("<s><s>").value(), ElementsAre(77, '<', 's', '>'));
}

TEST(ReferencePrefixTest, NoTokenAtAllIsRefused) {
  const auto ids = IdsOf("");
  ASSERT_FALSE(ids.ok());
  EXPECT_THAT(std::string(ids.status().message()), testing::HasSubstr("reference_prefix"));
}

}  // namespace
}  // namespace memory3
