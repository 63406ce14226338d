#include "engine/text/chat_template.h"

#include <utility>

#include "absl/status/status.h"
#include "engine/base/status_macros.h"
#include "engine/text/jinja/interpreter.h"
#include "engine/text/jinja/parser.h"
#include "engine/text/jinja/runtime.h"

namespace memory3 {
namespace {

using jinja::Origin;
using jinja::Text;
using jinja::Value;

// Only these roles count as template text: a template may build a control token around the role,
// and any other role's spelling is the client's.
bool IsKnownRole(std::string_view role) {
  return role == "system" || role == "user" || role == "assistant";
}

absl::StatusOr<Value> MessageList(jinja::Runtime& runtime, absl::Span<const ChatMessage> messages) {
  std::vector<Value> list;
  for (const ChatMessage& message : messages) {
    const Origin role_origin =
        IsKnownRole(message.role) ? Origin::kTemplate : Origin::kConversation;
    M3_ASSIGN_OR_RETURN(Value role, runtime.NewString(Text(message.role, role_origin)));
    M3_ASSIGN_OR_RETURN(Value content,
                        runtime.NewString(Text(message.content, Origin::kConversation)));
    M3_ASSIGN_OR_RETURN(
        Value entry, runtime.NewDict({{Value::OfTemplateString("role"), std::move(role)},
                                      {Value::OfTemplateString("content"), std::move(content)}}));
    list.push_back(std::move(entry));
  }
  return runtime.NewSequence(jinja::Sequence::Type::kList, std::move(list));
}

}  // namespace

class ChatTemplate::Impl {
 public:
  Impl(jinja::Block program, ChatTemplateTokens tokens, Clock clock)
      : program_(std::move(program)), tokens_(std::move(tokens)), clock_(std::move(clock)) {}

  absl::StatusOr<Text> Render(absl::Span<const ChatMessage> messages,
                              bool add_generation_prompt) const {
    jinja::Runtime runtime(clock_);
    M3_ASSIGN_OR_RETURN(Value list, MessageList(runtime, messages));
    // What Hugging Face passes, tools and documents that nobody gave included.
    jinja::Interpreter::Variables variables{
        {"messages", std::move(list)},
        {"tools", Value()},
        {"documents", Value()},
        {"add_generation_prompt", Value(add_generation_prompt)}};
    const std::pair<std::string_view, const std::string&> tokens[] = {
        {"bos_token", tokens_.bos_token},
        {"eos_token", tokens_.eos_token},
        {"unk_token", tokens_.unk_token},
        {"pad_token", tokens_.pad_token}};
    for (const auto& [name, token] : tokens) {
      if (!token.empty()) variables.emplace_back(name, Value::OfTemplateString(token));
    }
    return jinja::Interpreter(runtime, std::move(variables)).Run(program_);
  }

 private:
  const jinja::Block program_;
  const ChatTemplateTokens tokens_;
  const Clock clock_;
};

ChatTemplate::ChatTemplate(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

absl::StatusOr<ChatTemplate> ChatTemplate::Parse(std::string_view source, ChatTemplateTokens tokens,
                                                 Clock clock) {
  M3_ASSIGN_OR_RETURN(jinja::Block program, jinja::ParseTemplate(source));
  return ChatTemplate(
      std::make_unique<Impl>(std::move(program), std::move(tokens), std::move(clock)));
}

absl::StatusOr<std::string> ChatTemplate::Render(absl::Span<const ChatMessage> messages,
                                                 bool add_generation_prompt) const {
  M3_ASSIGN_OR_RETURN(const Text text, impl_->Render(messages, add_generation_prompt));
  return text.bytes();
}

absl::StatusOr<std::vector<TemplateSegment>> ChatTemplate::RenderSegments(
    absl::Span<const ChatMessage> messages, bool add_generation_prompt) const {
  M3_ASSIGN_OR_RETURN(const Text text, impl_->Render(messages, add_generation_prompt));
  std::vector<TemplateSegment> segments;
  size_t begin = 0;
  for (const Text::Run& run : text.runs()) {
    segments.push_back(
        {text.bytes().substr(begin, run.end - begin), run.origin == Origin::kTemplate});
    begin = run.end;
  }
  return segments;
}

}  // namespace memory3
