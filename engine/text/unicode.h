// Character classes and mappings as tokenizers use them.
#ifndef MEMORY3_ENGINE_TEXT_UNICODE_H_
#define MEMORY3_ENGINE_TEXT_UNICODE_H_

#include <string>
#include <string_view>

namespace memory3 {

bool IsWhitespace(char32_t c);   // the White_Space property
bool IsPunctuation(char32_t c);  // ASCII punctuation and symbols, and every category P*
bool IsNumeric(char32_t c);      // categories N*
bool IsWordCharacter(
    char32_t c);          // letters, also enclosed ones, marks, digits, connectors, joiners
bool IsMark(char32_t c);  // categories M*
bool IsNonspacingMark(char32_t c);  // category Mn
bool IsOther(char32_t c);         // categories C*: control, format, surrogate, private, unassigned
bool IsCjkIdeograph(char32_t c);  // the blocks BERT puts spaces around

std::string ToLower(std::string_view text);  // character by character, without context

enum class UnicodeForm { kNfc, kNfd, kNfkc, kNfkd };
std::string NormalizeUnicode(std::string_view text, UnicodeForm form);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_TEXT_UNICODE_H_
