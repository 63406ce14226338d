#include "engine/text/utf8.h"

#include <gtest/gtest.h>

namespace memory3 {
namespace {

TEST(Utf8, AcceptsEveryCharacterAndOnlyThose) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    std::string text;
    AppendCharacter(c, &text);
    const auto number = static_cast<uint32_t>(c);
    ASSERT_EQ(IsValidUtf8(text), !surrogate) << number;
    ASSERT_TRUE(surrogate || DecodeCharacter(text) == c) << number;
  }
}

TEST(Utf8, RefusesMalformedSequences) {
  for (const char* bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "a\xE4\xBD", "\xE4\xBDz", "\xE4"}) {
    EXPECT_FALSE(IsValidUtf8(bad)) << testing::PrintToString(bad);
  }
}

TEST(Utf8, HoldsBackOnlyWhatMayBecomeACharacter) {
  const std::string text = "a\xC3\xA9\xE4\xBD\xA0\xF0\x9F\x98\x80";  // 1, 2, 3 and 4 bytes
  const size_t borders[] = {0, 1, 3, 6, 10};
  for (size_t length = 0; length <= text.size(); ++length) {
    size_t border = 0;
    for (size_t b : borders) border = b <= length ? b : border;
    EXPECT_EQ(CompleteUtf8Prefix(text.substr(0, length)), border) << length;
  }
  EXPECT_EQ(CompleteUtf8Prefix("a\x80"), 2u);      // can never become valid
  EXPECT_EQ(CompleteUtf8Prefix("\xE4\xBDz"), 3u);  // broken off
  EXPECT_EQ(CompleteUtf8Prefix("\xF4\x90"), 2u);   // above U+10FFFF already
  EXPECT_EQ(CompleteUtf8Prefix("\x80\x80\x80\x80"), 4u);
}

TEST(Utf8, ReplacesEachMaximalInvalidSequence) {
  EXPECT_EQ(ReplaceInvalidUtf8("a\x80z"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(ReplaceInvalidUtf8("\xF0\x9F\x98"
                               "A"),
            "\xEF\xBF\xBD"
            "A");
  EXPECT_EQ(ReplaceInvalidUtf8("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(ReplaceInvalidUtf8("\xE4\xBD"), "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace memory3
