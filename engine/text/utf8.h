// UTF-8: checks, borders and characters, shared by the text floor and the fronts.
#ifndef MEMORY3_ENGINE_TEXT_UTF8_H_
#define MEMORY3_ENGINE_TEXT_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace memory3 {

// Strict: no overlong forms, no surrogates, nothing above U+10FFFF.
bool IsValidUtf8(std::string_view text);

// Length of the longest prefix of `bytes` that ends on a character border: what a stream may emit
// now. At most the last 3 bytes are held back, and only while they can still become a valid
// character; bytes that never can are not held back.
size_t CompleteUtf8Prefix(std::string_view bytes);

// Every maximal invalid or incomplete sequence becomes one U+FFFD, as the Unicode standard
// recommends.
std::string ReplaceInvalidUtf8(std::string_view bytes);

// What stands at the front of `bytes`, which must not be empty. An invalid sequence ends before the
// byte that broke it.
struct Utf8Character {
  enum class Kind : uint8_t { kValid, kInvalid, kIncomplete };
  Kind kind;
  int length;  // bytes
};
Utf8Character NextCharacter(std::string_view bytes);

// Of one valid character.
char32_t DecodeCharacter(std::string_view bytes);
void AppendCharacter(char32_t c, std::string* text);

// Calls visit(char32_t, std::string_view bytes) for each character of a valid text.
template <typename Visit>
void ForEachCharacter(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const std::string_view bytes = text.substr(0, NextCharacter(text).length);
    visit(DecodeCharacter(bytes), bytes);
    text.remove_prefix(bytes.size());
  }
}

}  // namespace memory3

#endif  // MEMORY3_ENGINE_TEXT_UTF8_H_
