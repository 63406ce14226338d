#include "engine/memory/reference_splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "engine/text/unicode.h"
#include "engine/text/utf8.h"
#include "tests/unit/engine/byte_tokenizer.h"

namespace memory3 {
namespace {

using testing::ElementsAre;

// One token per byte.
std::vector<std::string> Split(const std::string& text, int max_tokens) {
  const ByteTokenizer tokenizer;
  std::vector<SplitReference> references;
  ReferenceSplitter(tokenizer, max_tokens).Split(text, &references);
  std::vector<std::string> texts;
  for (const SplitReference& reference : references) {
    EXPECT_EQ(reference.tokens, static_cast<int>(reference.text.size()));
    texts.push_back(reference.text);
  }
  return texts;
}

TEST(ReferenceSplitterTest, KeepsParagraphsThatFitApart) {
  EXPECT_THAT(Split("  One.\nStill one. \n \t\n\r\nTwo.\n\n\n", 100),
              ElementsAre("One.\nStill one.", "Two."));
  EXPECT_THAT(Split("", 100), ElementsAre());
  EXPECT_THAT(Split(" \n\n \n", 100), ElementsAre());
}

TEST(ReferenceSplitterTest, CutsLongParagraphsBetweenSentences) {
  EXPECT_THAT(Split("Pi is 3.14 here. \"Is it?\" He said so! No.", 26),
              ElementsAre("Pi is 3.14 here. \"Is it?\"", "He said so! No."));
  EXPECT_THAT(Split("他来了。“你好！”她说。走吧？好", 24),
              ElementsAre("他来了。", "“你好！”她说。", "走吧？好"));
}

TEST(ReferenceSplitterTest, CutsLongSentencesBetweenWordsAndLongWordsAnywhere) {
  EXPECT_THAT(Split("seven words make this one long sentence", 16),
              ElementsAre("seven words make", "this one long", "sentence"));
  EXPECT_THAT(Split("aaaaaaaaaa", 4), ElementsAre("aaaa", "aaaa", "aa"));
  EXPECT_THAT(Split("没有空格的文字", 9), ElementsAre("没有空", "格的文", "字"));
}

TEST(ReferenceSplitterTest, KnowsTheSpacesOfOtherScripts) {
  // Ideographic, no-break, em and narrow no-break space; the line and paragraph separators.
  EXPECT_THAT(Split("\u3000\u3000第一段。\u3000\n\u3000\n\u00a0第二段。\u2003\u2029", 100),
              ElementsAre("第一段。", "第二段。"));
  EXPECT_THAT(Split("One.\u202fTwo. Three.\u00a0", 9), ElementsAre("One.", "Two.", "Three."));
  EXPECT_THAT(Split("abc\u3000def", 4), ElementsAre("abc", "def"));
  EXPECT_THAT(Split("\u3000\u2028\u0085", 100), ElementsAre());
  // No white space, though invisible: a zero-width joiner is part of what it joins.
  EXPECT_THAT(Split("\u200da\u200d", 100), ElementsAre("\u200da\u200d"));
}

std::string WithoutSpaces(const std::string& text) {
  std::string kept;
  ForEachCharacter(text, [&kept](char32_t c, std::string_view bytes) {
    if (!IsWhitespace(c)) kept += bytes;
  });
  return kept;
}

// Nothing is lost, nothing repeated, nothing too long, no character cut.
TEST(ReferenceSplitterTest, LosesNothingOfRandomTexts) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const std::string pieces[] = {"a",  "word", "longerword", " ",      " ",      "\n",    "\n\n",
                                ". ", ".",    "! ",         "? ",     "中",     "文",    "。",
                                "！", "”",    "é",          "😀",      "3.14",   "\r\n",  "\t",
                                ") ", "\"",   "…",          "\u3000", "\u00a0", "\u2003"};
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (uint64_t i = random() % 120; i > 0; --i) text += pieces[random() % std::size(pieces)];
    const int max_tokens = 4 + static_cast<int>(random() % 40);
    std::string all;
    for (const std::string& reference : Split(text, max_tokens)) {
      ASSERT_FALSE(reference.empty());
      ASSERT_LE(static_cast<int>(reference.size()), max_tokens) << reference;
      ASSERT_TRUE(IsValidUtf8(reference)) << reference;
      std::u32string characters;
      ForEachCharacter(reference, [&](char32_t c, std::string_view) { characters += c; });
      ASSERT_FALSE(IsWhitespace(characters.front())) << reference;
      ASSERT_FALSE(IsWhitespace(characters.back())) << reference;
      all += reference;
    }
    ASSERT_EQ(WithoutSpaces(all), WithoutSpaces(text)) << max_tokens;
  }
}

}  // namespace
}  // namespace memory3
