// How a question is put to a model, with or without references as text before it.
#ifndef MEMORY3_TOOLS_EVALUATE_PROMPT_H_
#define MEMORY3_TOOLS_EVALUATE_PROMPT_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/text/chat_template.h"
#include "engine/text/tokenizer.h"

namespace memory3 {

// A conversation for models with a chat template, a raw text for others.
struct Prompt {
  std::vector<ChatMessage> messages;
  std::string raw;  // when there are no messages
};

// References go into a system message, or in front of the question where the template knows none.
// Thread-safe.
class PromptMaker {
 public:
  // Reads the folder's chat template; tokenizer must outlive the maker.
  static absl::StatusOr<PromptMaker> Create(const std::filesystem::path& model_dir,
                                            const Tokenizer& tokenizer, int32_t bos_token);

  Prompt Make(const std::string& question, absl::Span<const std::string> references) const;
  // As the server encodes it, begin-of-text included.
  absl::StatusOr<std::vector<int32_t>> Encode(const Prompt& prompt) const;

 private:
  PromptMaker(std::optional<ChatTemplate> chat_template, const Tokenizer& tokenizer,
              int32_t bos_token);

  std::optional<ChatTemplate> template_;
  const Tokenizer* tokenizer_;
  int32_t bos_token_;
  bool knows_system_ = false;
};

}  // namespace memory3

#endif  // MEMORY3_TOOLS_EVALUATE_PROMPT_H_
