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
//
// A rendered prompt mixes the template's control tokens with what users wrote, and a user may write
// a control token's spelling. RenderSegments keeps the two apart: every byte carries its origin
// through the template's trims, joins and replacements. To tokenise safely, recognise special
// tokens only where they lie wholly inside of one segment with from_template, and encode everything
// between two recognised special tokens as one text without special tokens (encoding each segment
// on its own would split words where template text and content meet, and change their ids).
#ifndef MEMORY3_ENGINE_TEXT_CHAT_TEMPLATE_H_
#define MEMORY3_ENGINE_TEXT_CHAT_TEMPLATE_H_

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
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

// A stretch of a rendered prompt of one origin.
struct TemplateSegment {
  std::string text;
  // Text of the template, of its tokens or of a date, or one of the roles "system", "user" and
  // "assistant"; false for a message's content or any other role, whatever the template made of it.
  bool from_template;
};

class ChatTemplate {
 public:
  // What strftime_now() reads, in local time.
  using Clock = std::function<absl::Time()>;

  // An empty token is undefined in the template, as Hugging Face has it. The default clock is the
  // system's.
  static absl::StatusOr<ChatTemplate> Parse(std::string_view source, ChatTemplateTokens tokens,
                                            Clock clock = absl::Now);

  // From tokenizer_config.json (`chat_template`: a string, or the list form, whose "default" is
  // taken) or, as newer folders have it, from chat_template.jinja. Without either: nullopt. Tokens
  // are those of tokenizer_config.json, or else of special_tokens_map.json. Errors name the file.
  static absl::StatusOr<std::optional<ChatTemplate>> Load(const std::filesystem::path& model_dir,
                                                          Clock clock = absl::Now);

  // A template's own raise_exception() (a role it does not know, say) is InvalidArgument with its
  // message.
  absl::StatusOr<std::string> Render(absl::Span<const ChatMessage> messages,
                                     bool add_generation_prompt) const;

  // The same text in stretches of one origin; neighbours differ in origin, none is empty.
  absl::StatusOr<std::vector<TemplateSegment>> RenderSegments(
      absl::Span<const ChatMessage> messages, bool add_generation_prompt) const;

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
