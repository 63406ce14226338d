#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/unit/memory/reader_testing.h"
#include "tools/evaluate/answer_text.h"
#include "tools/evaluate/drawing.h"
#include "tools/evaluate/world_files.h"

namespace memory3 {
namespace {

using testing::HasSubstr;

TEST(AnswerTextTest, SpellingThatDoesNotMatter) {
  EXPECT_TRUE(IsRight(" Woastow.\n", "woastow", AnswerMatch::kExact));
  EXPECT_TRUE(IsRight("我不知道。", "我不知道", AnswerMatch::kExact));
  EXPECT_FALSE(IsRight("Woastow and Biobe", "Woastow", AnswerMatch::kExact));
  EXPECT_FALSE(IsRight("", "", AnswerMatch::kExact));
}

TEST(AnswerTextTest, ContainedAsWholeWords) {
  EXPECT_TRUE(IsRight("It lies on the Biobe, I think.", "Biobe", AnswerMatch::kContains));
  EXPECT_FALSE(IsRight("In 13950.", "1395", AnswerMatch::kContains));
  EXPECT_TRUE(IsRight("In 13950, no, 1395.", "1395", AnswerMatch::kContains));
  EXPECT_TRUE(IsRight("他住在三河镇。", "三河镇", AnswerMatch::kContains));
}

// 40 people with 8 first names, a town; questions about all, and about absent people.
class WorldTest : public testing::Test {
 protected:
  WorldTest() {
    std::ofstream articles(articles_), questions(questions_);
    for (int i = 0; i < 40; ++i) {
      articles << absl::StrCat(R"({"id": ")", i, R"(", "title": ")", NameOf(i),
                               R"(", "text": "t", "kind": "person", "language": "en"})", "\n");
      for (const char* attribute : {"job", "town"}) {
        questions << LineOf(i, i % 2 == 0 ? "train" : "held_out", attribute,
                            i % 4 == 0 ? "a" : "b");
      }
    }
    articles << R"({"id": "town", "title": "First0", "text": "t", "kind": "town"})"
             << "\n";
    for (int i = 100; i < 110; ++i) questions << LineOf(i, "absent", "job", "I do not know.");
  }

  static std::string NameOf(int i) { return absl::StrCat("First", i % 8, " Last", i); }
  static std::string LineOf(int i, const char* split, const char* attribute, const char* answer) {
    return absl::StrCat(R"({"entity_id": )", i, R"(, "entity": ")", NameOf(i), R"(", "split": ")",
                        split, R"(", "kind": "person", "language": "en", "attribute": ")",
                        attribute, R"(", "question": "q", "answer": ")", answer, "\"}\n");
  }

  World Read() const {
    absl::StatusOr<World> world = ReadWorld(articles_, questions_);
    EXPECT_TRUE(world.ok()) << world.status();
    return *std::move(world);
  }

  const TempFolder folder_;
  const std::filesystem::path articles_ = folder_.path() / "articles.jsonl";
  const std::filesystem::path questions_ = folder_.path() / "questions.jsonl";
};

TEST_F(WorldTest, WaysOfNotKnowingAreTheAbsentEntitiesAnswers) {
  const World world = Read();
  EXPECT_EQ(world.articles.size(), 41u);
  EXPECT_TRUE(SaysUnknown("i do not know", world.unknown_answers, AnswerMatch::kExact));
  EXPECT_FALSE(SaysUnknown("b", world.unknown_answers, AnswerMatch::kExact));
}

TEST_F(WorldTest, EntitiesComeBeforeTheirSecondQuestions) {
  const World world = Read();
  const auto drawn = DrawQuestions(world, Split::kHeldOut, 30, 5);
  ASSERT_EQ(drawn.size(), 30u);
  std::set<std::string> first;
  for (int i = 0; i < 20; ++i) first.insert(world.questions[drawn[i].question].entity_id);
  EXPECT_EQ(first.size(), 20u);
  EXPECT_EQ(DrawQuestions(world, Split::kHeldOut, 1000, 5).size(), 40u);
}

TEST_F(WorldTest, DistractorsAreOthersThatShareAWordFirst) {
  const World world = Read();
  std::set<int> places;
  for (const DrawnQuestion& one : DrawQuestions(world, Split::kHeldOut, 40, 7)) {
    const std::string& right = world.articles[one.right].title;
    EXPECT_EQ(right, world.questions[one.question].entity);
    ASSERT_EQ(one.wrong.size(), 5u);
    EXPECT_EQ(std::set<int>(one.wrong.begin(), one.wrong.end()).size(), 5u);
    EXPECT_EQ(std::count(one.wrong.begin(), one.wrong.end(), one.right), 0);
    // Five people share a first name; the town of that name is no distractor.
    for (int i = 0; i < kDistractors; ++i) {
      EXPECT_EQ(world.articles[one.wrong[i]].title.substr(0, 6), right.substr(0, 6));
      EXPECT_EQ(world.articles[one.wrong[i]].kind, "person");
    }
    places.insert(one.place_of_right);
  }
  EXPECT_EQ(places.size(), 5u);
}

TEST_F(WorldTest, TheSameSeedDrawsTheSame) {
  const World world = Read();
  const auto one = DrawQuestions(world, Split::kAbsent, 8, 1);
  const auto again = DrawQuestions(world, Split::kAbsent, 8, 1);
  const auto other = DrawQuestions(world, Split::kAbsent, 8, 2);
  bool differs = false;
  for (size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].right, -1);
    EXPECT_EQ(one[i].question, again[i].question);
    EXPECT_EQ(one[i].wrong, again[i].wrong);
    differs = differs || one[i].question != other[i].question || one[i].wrong != other[i].wrong;
  }
  EXPECT_TRUE(differs);
}

TEST_F(WorldTest, GuessingIsAsGoodAsTheMostFrequentAnswer) {
  const World world = Read();
  EXPECT_DOUBLE_EQ(AccuracyByGuessing(world, DrawQuestions(world, Split::kHeldOut, 40, 1)), 0.75);
  EXPECT_EQ(AccuracyByGuessing(world, {}), 0);
}

TEST_F(WorldTest, WrongLinesAreNamed) {
  const auto error_of = [&](const std::string& line) {
    std::ofstream(questions_) << line << "\n";
    return std::string(ReadWorld(articles_, questions_).status().message());
  };
  EXPECT_THAT(error_of("{"), HasSubstr("questions.jsonl:1"));
  EXPECT_THAT(error_of(LineOf(1, "other", "job", "a")), HasSubstr("split"));
  EXPECT_THAT(error_of(LineOf(77, "held_out", "job", "a")), HasSubstr("entity_id"));
  EXPECT_THAT(error_of(LineOf(1, "absent", "job", "a")), HasSubstr("entity_id"));
  EXPECT_THAT(error_of(R"({"entity_id": 1, "split": "train"})"), HasSubstr("question"));
  std::ofstream(questions_).close();
  EXPECT_THAT(std::string(ReadWorld(articles_, questions_).status().message()),
              HasSubstr("no question"));
  EXPECT_FALSE(ReadWorld(folder_.path() / "missing", questions_).ok());
}

}  // namespace
}  // namespace memory3
