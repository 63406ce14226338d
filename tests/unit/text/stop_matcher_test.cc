#include "engine/text/stop_matcher.h"

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace memory3 {
namespace {

struct Answer {
  std::string text;
  std::optional<int> stop;
};

// What the header promises, by looking at every end position of the whole text.
Answer NaiveAnswer(const std::string& text, const std::vector<std::string>& stops) {
  for (size_t end = 1; end <= text.size(); ++end) {
    Answer best{.text = text};
    size_t longest = 0;
    for (size_t i = 0; i < stops.size(); ++i) {
      const size_t length = stops[i].size();
      if (length <= longest || length > end) continue;
      if (text.compare(end - length, length, stops[i]) != 0) continue;
      longest = length;
      best = {.text = text.substr(0, end - length), .stop = static_cast<int>(i)};
    }
    if (best.stop.has_value()) return best;
  }
  return {.text = text};
}

size_t NaiveHeldBack(const std::string& text, const std::vector<std::string>& stops) {
  size_t held = 0;
  for (const std::string& stop : stops) {
    for (size_t length = 0; length <= std::min(stop.size(), text.size()); ++length) {
      if (text.compare(text.size() - length, length, stop, 0, length) == 0) {
        held = std::max(held, length);
      }
    }
  }
  return held;
}

TEST(StopMatcherTest, WithoutStopsPiecesPassThrough) {
  StopMatcher matcher({});
  EXPECT_EQ(matcher.Push("Hello").text, "Hello");
  EXPECT_EQ(matcher.Push("").text, "");
  EXPECT_EQ(matcher.Finish(), "");
}

TEST(StopMatcherTest, AnswerEndsBeforeAStopSplitOverPieces) {
  StopMatcher matcher({"\n\n", "User:"});
  EXPECT_EQ(matcher.Push("Yes.\n").text, "Yes.");
  EXPECT_EQ(matcher.Push("Us").text, "\n");
  const StopMatcher::Result result = matcher.Push("er: again");
  EXPECT_EQ(result.text, "");
  EXPECT_EQ(result.stop, 1);
  EXPECT_EQ(matcher.Push("more").text, "");
  EXPECT_EQ(matcher.Push("more").stop, 1);
  EXPECT_EQ(matcher.Finish(), "");
}

TEST(StopMatcherTest, FinishReleasesAStopThatNeverCompleted) {
  StopMatcher matcher({"<end>"});
  EXPECT_EQ(matcher.Push("a <en").text, "a ");
  EXPECT_EQ(matcher.Finish(), "<en");
  EXPECT_EQ(matcher.Finish(), "");
}

TEST(StopMatcherTest, FirstCompletedWinsThenTheLongest) {
  StopMatcher inner({"abcd", "bc"});
  EXPECT_EQ(inner.Push("xabcd").stop, 1);
  StopMatcher suffix({"c", "abc"});
  const StopMatcher::Result result = suffix.Push("xabc");
  EXPECT_EQ(result.stop, 1);
  EXPECT_EQ(result.text, "x");
  StopMatcher twins({"ab", "ab"});
  EXPECT_EQ(twins.Push("ab").stop, 0);
}

TEST(StopMatcherTest, AnEmptyStopNeverMatches) {
  StopMatcher matcher({"", "b"});
  EXPECT_EQ(matcher.Push("aa").text, "aa");
  EXPECT_EQ(matcher.Push("b").stop, 1);
}

TEST(StopMatcherTest, FallsBackToAShorterBeginningOfTheSameStop) {
  StopMatcher matcher({"aab"});
  EXPECT_EQ(matcher.Push("aa").text, "");
  EXPECT_EQ(matcher.Push("a").text, "a");
  EXPECT_EQ(matcher.Push("b").stop, 0);
}

TEST(StopMatcherTest, AgreesWithTheNaiveSearchOnRandomTexts) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  for (int round = 0; round < 20000; ++round) {
    const int letters = 1 + below(3);
    const auto random_text = [&](int length) {
      std::string text;
      while (static_cast<int>(text.size()) < length)
        text += static_cast<char>('a' + below(letters));
      return text;
    };
    std::vector<std::string> stops(below(5));
    for (std::string& stop : stops) stop = random_text(below(7));
    const std::string text = random_text(below(40));
    const Answer expected = NaiveAnswer(text, stops);

    StopMatcher matcher(stops);
    Answer actual;
    size_t pushed = 0;
    while (pushed < text.size() && !actual.stop.has_value()) {
      const std::string piece = text.substr(pushed, below(6));
      pushed += piece.size();
      const StopMatcher::Result result = matcher.Push(piece);
      actual.text += result.text;
      actual.stop = result.stop;
      if (!actual.stop.has_value()) {
        const std::string seen = text.substr(0, pushed);
        ASSERT_EQ(actual.text.size() + NaiveHeldBack(seen, stops), seen.size());
      }
    }
    actual.text += matcher.Finish();
    ASSERT_EQ(actual.text, expected.text) << "round " << round << " text " << text;
    ASSERT_EQ(actual.stop, expected.stop) << "round " << round << " text " << text;
  }
}

}  // namespace
}  // namespace memory3
