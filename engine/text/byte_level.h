// The byte alphabet of byte-level BPE: every byte as a printable character, so that a vocabulary
// can be written as text.
#ifndef MEMORY3_ENGINE_TEXT_BYTE_LEVEL_H_
#define MEMORY3_ENGINE_TEXT_BYTE_LEVEL_H_

#include <string>
#include <string_view>

namespace memory3 {

// Each byte of `bytes` as its character, UTF-8 encoded.
std::string ToByteAlphabet(std::string_view bytes);

// The bytes that `token` stands for; a token with a character outside the alphabet stands for
// itself.
std::string FromByteAlphabet(std::string_view token);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_TEXT_BYTE_LEVEL_H_
