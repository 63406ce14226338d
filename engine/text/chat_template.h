// Renders a conversation into the prompt text a model was trained on, from the Jinja
// `chat_template` that Hugging Face folders publish.
//
//   M3_ASSIGN_OR_RETURN(ChatTemplate chat, ChatTemplate::Parse(source, {.bos_token = "<s>",
//   .eos_token = "</s>"})); M3_ASSIGN_OR_RETURN(std::string prompt, chat.Render(messages,
//   /*add_generation_prompt=*/true));
//
// A subset of Jinja is supported (docs/api.md lists it); a template that needs more is refused by
// Parse with the construct named, so that a server finds out at start. Rendering is bounded in
// steps and output size. A ChatTemplate is immutable; Render is safe to call from any thread at
// once.
#ifndef MEMORY3_ENGINE_TEXT_CHAT_TEMPLATE_H_
#define MEMORY3_ENGINE_TEXT_CHAT_TEMPLATE_H_

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace memory3 {

struct ChatMessage {
  std::string role;     // "system", "user" or "assistant"
  std::string content;  // UTF-8
};

struct ChatTemplateTokens {
  std::string bos_token;
  std::string eos_token;
  std::string unk_token;
  std::string pad_token;
};

class ChatTemplate {
 public:
  static absl::StatusOr<ChatTemplate> Parse(std::string_view source, ChatTemplateTokens tokens);

  // From tokenizer_config.json (`chat_template`: a string, or the list form, whose "default" is
  // taken) or, as newer folders have it, from chat_template.jinja. Without either: nullopt.
  static absl::StatusOr<std::optional<ChatTemplate>> Load(const std::filesystem::path& model_dir);

  // A template's own raise_exception() (a role it does not know, say) is InvalidArgument with its
  // message.
  absl::StatusOr<std::string> Render(absl::Span<const ChatMessage> messages,
                                     bool add_generation_prompt) const;

  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

 private:
  class Impl;
  explicit ChatTemplate(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_TEXT_CHAT_TEMPLATE_H_
