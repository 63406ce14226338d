#include "tools/evaluate/samples.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "engine/base/status_macros.h"
#include "tools/evaluate/json_lines.h"

namespace memory3 {
namespace {

std::string Quoted(const std::string& text) {
  return absl::StrCat("> ", absl::StrReplaceAll(text, {{"\n", "\n> "}}), "\n");
}

std::string AnswerOf(const ServiceAnswer& answer) {
  return answer.text.has_value() ? *answer.text : "(the prompt does not fit the context)";
}

absl::StatusOr<std::string> ShowReferences(const ServiceAnswer& answer, ServiceClient& client) {
  std::string shown;
  for (const ServiceReference& reference : answer.references) {
    M3_ASSIGN_OR_RETURN(const auto* text, client.Text(reference));
    absl::StrAppend(&shown, "- ", absl::StrReplaceAll(text->text, {{"\n", " "}}), "\n");
  }
  return shown;
}

}  // namespace

absl::StatusOr<std::vector<SamplePrompt>> ReadSamplePrompts(const std::filesystem::path& file) {
  std::vector<SamplePrompt> samples;
  M3_RETURN_IF_ERROR(ForJsonLines(file, [&](const JsonFields& fields) -> absl::Status {
    SamplePrompt& sample = samples.emplace_back();
    M3_ASSIGN_OR_RETURN(sample.category, fields.String("category", ""));
    const bool list = fields.Has("turns") && fields.at("turns").is_array();
    if (!list || fields.at("turns").empty() || !fields.at("turns").front().is_string()) {
      return fields.Error("turns", "must be a list of texts");
    }
    sample.text = fields.at("turns").front().get<std::string>();
    return absl::OkStatus();
  }));
  return samples;
}

absl::StatusOr<std::string> ShowSamples(absl::Span<const SamplePrompt> samples,
                                        const PromptMaker& prompts, ServiceClient& client) {
  std::vector<ServiceQuestion> questions;
  for (const SamplePrompt& sample : samples) {
    questions.push_back({prompts.Make(sample.text, {}), true});
    questions.push_back({prompts.Make(sample.text, {}), false});
  }
  M3_ASSIGN_OR_RETURN(const std::vector<ServiceAnswer> answers, client.Ask(questions, [](int) {}));
  std::string shown;
  for (size_t i = 0; i < samples.size(); ++i) {
    const ServiceAnswer& with = answers[2 * i];
    M3_ASSIGN_OR_RETURN(const std::string references, ShowReferences(with, client));
    const std::string category =
        samples[i].category.empty() ? "" : absl::StrCat(" (", samples[i].category, ")");
    absl::StrAppend(&shown, "**", samples[i].text, "**", category, "\n\nwith memory\n\n",
                    Quoted(AnswerOf(with)), "\nwithout\n\n", Quoted(AnswerOf(answers[2 * i + 1])),
                    "\nmemories of the question\n\n", references, "\n");
  }
  return shown;
}

}  // namespace memory3
