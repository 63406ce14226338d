// UTF-8 checks that the text floor and the fronts share.
#ifndef MEMORY3_ENGINE_TEXT_UTF8_H_
#define MEMORY3_ENGINE_TEXT_UTF8_H_

#include <cstddef>
#include <string_view>

namespace memory3 {

// Strict: no overlong forms, no surrogates, nothing above U+10FFFF.
bool IsValidUtf8(std::string_view text);

// Length of the longest prefix of `bytes` that ends on a character border: what a stream may emit
// now. At most the last 3 bytes are held back, and only while they can still become a valid
// character; bytes that never can are not held back.
size_t CompleteUtf8Prefix(std::string_view bytes);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_TEXT_UTF8_H_
