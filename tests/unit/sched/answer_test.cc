#include "engine/sched/answer.h"

#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/engine/byte_tokenizer.h"

namespace memory3 {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<int32_t> Ids(const GenerationEvent& event) {
  std::vector<int32_t> ids;
  for (const TokenInfo& token : event.tokens) ids.push_back(token.id);
  return ids;
}

class AnswerTest : public testing::Test {
 protected:
  static constexpr int32_t kWord = ByteTokenizer::kFirstWord;

  GenerationEvent Add(Answer& answer, int32_t id) const {
    GenerationEvent piece;
    answer.Add({.id = id}, &piece);
    return piece;
  }

  // "a\xC3": an a and the first half of "é".
  const ByteTokenizer tokenizer_{{"Hello", " wor", "ld!\n", "a\xC3", "\xA9z", "User", ":"}};
};

TEST_F(AnswerTest, TextAndTokensComeTogether) {
  Answer answer(tokenizer_, {}, 0);
  const GenerationEvent piece = Add(answer, kWord);
  EXPECT_EQ(piece.text, "Hello");
  EXPECT_THAT(Ids(piece), ElementsAre(kWord));
  EXPECT_FALSE(piece.finish.has_value());
}

TEST_F(AnswerTest, ATokenWithHalfACharacterWaitsForTheOtherHalf) {
  Answer answer(tokenizer_, {}, 0);
  GenerationEvent piece = Add(answer, kWord + 3);
  EXPECT_EQ(piece.text, "a");
  EXPECT_THAT(piece.tokens, IsEmpty());
  piece = Add(answer, kWord + 4);
  EXPECT_EQ(piece.text, "\xC3\xA9z");
  EXPECT_THAT(Ids(piece), ElementsAre(kWord + 3, kWord + 4));
}

TEST_F(AnswerTest, AnIncompleteCharacterAtTheEndBecomesAReplacement) {
  Answer answer(tokenizer_, {}, 0);
  Add(answer, kWord + 3);
  GenerationEvent piece;
  answer.Finish(FinishReason::kLength, &piece);
  EXPECT_EQ(piece.text, "\xEF\xBF\xBD");
  EXPECT_THAT(Ids(piece), ElementsAre(kWord + 3));
  EXPECT_EQ(piece.finish, FinishReason::kLength);
}

TEST_F(AnswerTest, AStopStringAcrossTokensIsNotEmitted) {
  Answer answer(tokenizer_, {"\nUser:"}, 0);
  EXPECT_EQ(Add(answer, kWord).text, "Hello");
  GenerationEvent piece = Add(answer, kWord + 2);
  EXPECT_EQ(piece.text, "ld!");
  EXPECT_THAT(piece.tokens, IsEmpty()) << "its newline is held back";
  piece = Add(answer, kWord + 5);
  EXPECT_EQ(piece.text, "");
  EXPECT_THAT(piece.tokens, IsEmpty());
  piece = Add(answer, kWord + 6);
  EXPECT_EQ(piece.text, "");
  EXPECT_EQ(piece.finish, FinishReason::kStop);
  EXPECT_EQ(piece.stop_match, "\nUser:");
  EXPECT_THAT(Ids(piece), ElementsAre(kWord + 2, kWord + 5, kWord + 6));
}

TEST_F(AnswerTest, WhatOnlyLookedLikeAStopStringIsEmittedLater) {
  Answer answer(tokenizer_, {"\nUser:"}, 0);
  Add(answer, kWord + 2);
  Add(answer, kWord + 5);
  const GenerationEvent piece = Add(answer, kWord);
  EXPECT_EQ(piece.text, "\nUserHello");
  EXPECT_THAT(Ids(piece), ElementsAre(kWord + 2, kWord + 5, kWord));
}

TEST_F(AnswerTest, HeldBackTextIsEmittedWhenTheAnswerEnds) {
  Answer answer(tokenizer_, {"\nUser:"}, 0);
  Add(answer, kWord + 2);
  GenerationEvent piece;
  answer.FinishWithStopToken({.id = ByteTokenizer::kEos}, &piece);
  EXPECT_EQ(piece.text, "\n");
  EXPECT_EQ(piece.finish, FinishReason::kStop);
  EXPECT_FALSE(piece.stop_match.has_value());
  EXPECT_THAT(Ids(piece), ElementsAre(kWord + 2, ByteTokenizer::kEos));
}

TEST_F(AnswerTest, StopStringsAreNotLookedForInTheFirstMinTokens) {
  Answer answer(tokenizer_, {":"}, 2);
  EXPECT_EQ(Add(answer, kWord + 6).text, ":");
  EXPECT_EQ(Add(answer, kWord + 6).text, ":");
  const GenerationEvent piece = Add(answer, kWord + 6);
  EXPECT_EQ(piece.text, "");
  EXPECT_EQ(piece.finish, FinishReason::kStop);
}

TEST_F(AnswerTest, ASpecialTokenThatDoesNotStopAddsNoText) {
  Answer answer(tokenizer_, {}, 0);
  const GenerationEvent piece = Add(answer, ByteTokenizer::kEos);
  EXPECT_EQ(piece.text, "");
  EXPECT_THAT(Ids(piece), ElementsAre(ByteTokenizer::kEos));
}

// However text is held back, the pieces joined are the text before the first stop string, every
// token travels exactly once and in order, and no token before all its text.
TEST_F(AnswerTest, RandomAnswersAreWhole) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    const ByteTokenizer tokenizer({"ab", "ba", "abab", "c", "\xC3", "\xA9", "aab"});
    const std::vector<std::string> stops = {"abba", "bcb"};
    Answer answer(tokenizer, stops, 0);
    std::vector<int32_t> sent, received;
    std::string all, emitted;
    bool finished = false;
    for (int i = 0; i < 40 && !finished; ++i) {
      sent.push_back(ByteTokenizer::kFirstWord + static_cast<int32_t>(random() % 7));
      all += tokenizer.TokenText(sent.back());
      GenerationEvent piece;
      answer.Add({.id = sent.back()}, &piece);
      if (i == 39 && !piece.finish.has_value()) answer.Finish(FinishReason::kLength, &piece);
      finished = piece.finish.has_value();
      emitted += piece.text;
      for (const int32_t id : Ids(piece)) received.push_back(id);
      EXPECT_TRUE(std::equal(received.begin(), received.end(), sent.begin()));
      // Invalid bytes grow to three when replaced, so only a lower bound holds in general.
      if (!finished && all.find('\xC3') == std::string::npos &&
          all.find('\xA9') == std::string::npos) {
        size_t bytes = 0;
        for (const int32_t id : received) bytes += tokenizer.TokenText(id).size();
        EXPECT_LE(bytes, emitted.size());
        EXPECT_LE(emitted.size(), all.size());
        EXPECT_GE(emitted.size() + 3, all.size()) << "no stop string is longer than 4 bytes";
      }
    }
    EXPECT_EQ(received, sent);
    for (const std::string& stop : stops) EXPECT_EQ(emitted.find(stop), std::string::npos);
  }
}

}  // namespace
}  // namespace memory3
