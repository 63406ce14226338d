#include "tools/evaluate/service_settings.h"

#include <utility>

#include "engine/base/status_macros.h"

namespace memory3 {

absl::StatusOr<std::vector<ServiceAnswer>> ServiceSettings::AskAll(
    absl::Span<const DrawnQuestion> drawn, bool use_memory,
    absl::Span<const std::vector<std::string>> references, const std::function<void(int)>& done) {
  std::vector<ServiceQuestion> questions;
  for (size_t i = 0; i < drawn.size(); ++i) {
    const absl::Span<const std::string> texts =
        references.empty() ? absl::Span<const std::string>() : references[i];
    questions.push_back(
        {prompts_.Make(world_.questions[drawn[i].question].text, texts), use_memory});
  }
  return client_.Ask(questions, done);
}

absl::Status ServiceSettings::Ask(uint64_t seed, absl::Span<const DrawnQuestion> drawn,
                                  const std::function<void(int)>& done,
                                  std::vector<Record>* records) {
  M3_ASSIGN_OR_RETURN(std::vector<ServiceAnswer> without, AskAll(drawn, false, {}, done));
  M3_ASSIGN_OR_RETURN(std::vector<ServiceAnswer> with, AskAll(drawn, true, {}, done));
  std::vector<std::vector<std::string>> texts(drawn.size());
  std::vector<bool> found(drawn.size());
  for (size_t i = 0; i < drawn.size(); ++i) {
    for (const ServiceReference& reference : with[i].references) {
      M3_ASSIGN_OR_RETURN(const auto* text, client_.Text(reference));
      texts[i].push_back(text->text);
      if (text->source_id == world_.questions[drawn[i].question].entity_id) found[i] = true;
    }
  }
  M3_ASSIGN_OR_RETURN(std::vector<ServiceAnswer> as_text, AskAll(drawn, false, texts, done));
  for (size_t i = 0; i < drawn.size(); ++i) {
    const int question = drawn[i].question;
    records->push_back(
        judge_.Judged(seed, Setting::kServiceWithout, question, std::move(without[i].text)));
    records->push_back(
        judge_.Judged(seed, Setting::kServiceMemories, question, std::move(with[i].text)));
    records->back().retrieved = found[i];
    records->push_back(
        judge_.Judged(seed, Setting::kServiceTexts, question, std::move(as_text[i].text)));
    records->back().retrieved = found[i];
  }
  return absl::OkStatus();
}

}  // namespace memory3
