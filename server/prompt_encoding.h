// Token ids of a prompt. A rendered conversation mixes what the template wrote, where special
// tokens are meant, with what people wrote, where "<|im_end|>" is just text: a user must not be
// able to end a turn.
#ifndef MEMORY3_SERVER_PROMPT_ENCODING_H_
#define MEMORY3_SERVER_PROMPT_ENCODING_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "engine/text/chat_template.h"
#include "engine/text/tokenizer.h"
#include "server/special_token_index.h"

namespace memory3 {

// Special tokens are recognised only where they lie wholly in segments of the template. Whenever no
// other segment spells one, the ids are those of the joined text; the text is never cut except at
// special tokens, so borders between segments leave no trace. Adds no BOS: the template writes it.
std::vector<int32_t> EncodeSegments(absl::Span<const TemplateSegment> segments,
                                    const Tokenizer& tokenizer, const SpecialTokenIndex& special);

// Raw text that its sender owns as a whole: special tokens written in it count, and the tokenizer's
// own BOS is added unless the text brings one.
std::vector<int32_t> EncodeRawPrompt(std::string_view text, const Tokenizer& tokenizer,
                                     int32_t bos_token);

std::string JoinSegments(absl::Span<const TemplateSegment> segments);

}  // namespace memory3

#endif  // MEMORY3_SERVER_PROMPT_ENCODING_H_
