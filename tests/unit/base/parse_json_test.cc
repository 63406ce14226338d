#include "engine/base/parse_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace memory3 {
namespace {

using testing::HasSubstr;

std::string Nested(int depth) { return std::string(depth, '[') + std::string(depth, ']'); }

std::string MessageOf(const std::string& text) {
  return std::string(ParseJson(text, "a.json").status().message());
}

TEST(ParseJson, GivesValuesOfEveryKind) {
  EXPECT_EQ(ParseJson(R"({"a": [1, true, "x"]})", "a.json")->dump(), R"({"a":[1,true,"x"]})");
  EXPECT_TRUE(ParseJson("null", "a.json")->is_null());
}

TEST(ParseJson, NamesTheSourceOfWhatIsNotJson) {
  for (const char* text : {"", "{", "[1,]", "{\"a\" 1}", "\"\xFF\"", "1 2", "\"", "\\", "]"}) {
    EXPECT_EQ(MessageOf(text), "a.json: not valid JSON") << text;
  }
}

TEST(ParseJson, BoundsNesting) {
  EXPECT_TRUE(ParseJson(Nested(kMaxJsonNesting), "a.json").ok());
  for (const int depth : {kMaxJsonNesting + 1, 100'000, 5'000'000}) {
    EXPECT_THAT(MessageOf(Nested(depth)), HasSubstr("a.json: nested more than 64 deep"));
  }
  EXPECT_THAT(MessageOf(std::string(1'000'000, '[')), HasSubstr("deep"));
}

TEST(ParseJson, TakesBracketsInStringsForText) {
  const std::string brackets(1000, '[');
  EXPECT_TRUE(ParseJson("\"" + brackets + "\"", "a.json").ok());
  EXPECT_TRUE(ParseJson(R"(["\"[[", "\\", ")" + brackets + "\"]", "a.json").ok());
}

}  // namespace
}  // namespace memory3
