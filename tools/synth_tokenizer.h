// The tokenizer of a synthetic model: one token per byte, three special ones, and for every further
// id a token of its own, so that whatever random weights say can be printed.
#ifndef MEMORY3_TOOLS_SYNTH_TOKENIZER_H_
#define MEMORY3_TOOLS_SYNTH_TOKENIZER_H_

#include <string>

namespace memory3 {

// Ids 0..255 are the bytes, 256 <s>, 257 </s>, 258 <pad>; id n above is the text " t<n>".
std::string SynthTokenizerJson(int vocab);

// With a plain chat template.
std::string SynthTokenizerConfigJson(int context);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_SYNTH_TOKENIZER_H_
