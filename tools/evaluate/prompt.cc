#include "tools/evaluate/prompt.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/status_macros.h"

namespace memory3 {
namespace {

// The space gives the first word of every reference, and of the question, the token that it has in
// running text.
constexpr char kBetweenReferences[] = "\n ";

}  // namespace

absl::StatusOr<PromptMaker> PromptMaker::Create(const std::filesystem::path& model_dir,
                                                const Tokenizer& tokenizer, int32_t bos_token) {
  M3_ASSIGN_OR_RETURN(std::optional<ChatTemplate> chat_template, ChatTemplate::Load(model_dir));
  return PromptMaker(std::move(chat_template), tokenizer, bos_token);
}

PromptMaker::PromptMaker(std::optional<ChatTemplate> chat_template, const Tokenizer& tokenizer,
                         int32_t bos_token)
    : template_(std::move(chat_template)), tokenizer_(&tokenizer), bos_token_(bos_token) {
  if (!template_.has_value()) return;
  const std::vector<ChatMessage> probe = {{"system", "a"}, {"user", "b"}};
  knows_system_ = template_->Render(probe, /*add_generation_prompt=*/true).ok();
}

Prompt PromptMaker::Make(const std::string& question,
                         absl::Span<const std::string> references) const {
  const std::string before = absl::StrJoin(references, kBetweenReferences);
  Prompt prompt;
  if (!template_.has_value()) {
    prompt.raw = absl::StrCat(before, before.empty() ? "" : kBetweenReferences,
                              "Question: ", question, "\nAnswer:");
  } else if (before.empty()) {
    prompt.messages = {{"user", question}};
  } else if (knows_system_) {
    prompt.messages = {{"system", before}, {"user", question}};
  } else {
    prompt.messages = {{"user", absl::StrCat(before, kBetweenReferences, question)}};
  }
  return prompt;
}

absl::StatusOr<std::vector<int32_t>> PromptMaker::Encode(const Prompt& prompt) const {
  if (!prompt.messages.empty()) {
    M3_ASSIGN_OR_RETURN(const std::string text,
                        template_->Render(prompt.messages, /*add_generation_prompt=*/true));
    return tokenizer_->Encode(text, {.add_special_tokens = false, .parse_special_tokens = true});
  }
  std::vector<int32_t> ids =
      tokenizer_->Encode(prompt.raw, {.add_special_tokens = false, .parse_special_tokens = false});
  ids.insert(ids.begin(), bos_token_);
  return ids;
}

}  // namespace memory3
