#include "bench/retrieval_qa.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/read_file.h"
#include "engine/base/status_macros.h"
#include "engine/memory/bank/reference_text.h"
#include "nlohmann/json.hpp"
#include "tools/evaluate/world_files.h"

namespace memory3 {
namespace {

using Json = nlohmann::json;

constexpr int64_t kMaxFileBytes = int64_t{1} << 30;

absl::StatusOr<Json> ReadJson(const std::filesystem::path& file) {
  M3_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kMaxFileBytes));
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_structured()) return json;
  return absl::InvalidArgumentError(absl::StrCat(file.string(), ": is not JSON"));
}

// An empty value where there is none: a set that is laid out otherwise comes out empty.
const Json& At(const Json& object, const char* key) {
  static const Json kNothing;
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found == object.end() ? kNothing : *found;
}

std::string TextOf(const Json& value) {
  return value.is_string() ? value.get<std::string>() : std::string();
}

absl::StatusOr<QaSet> Checked(QaSet set, const std::filesystem::path& file) {
  if (!set.passages.empty() && !set.questions.empty()) return set;
  return absl::InvalidArgumentError(
      absl::StrCat(file.string(), ": holds no questions with passages in the expected layout"));
}

}  // namespace

absl::StatusOr<QaSet> LoadHotpot(const std::filesystem::path& questions,
                                 const std::filesystem::path& corpus) {
  M3_ASSIGN_OR_RETURN(const Json passages, ReadJson(corpus));
  M3_ASSIGN_OR_RETURN(const Json asked, ReadJson(questions));
  QaSet set{.name = questions.stem().string()};
  std::map<std::string, int> numbers;
  for (const auto& [title, sentences] : passages.items()) {
    numbers[title] = static_cast<int>(set.passages.size());
    std::string text = title + ".";
    for (const Json& sentence : sentences) absl::StrAppend(&text, " ", TextOf(sentence));
    set.passages.push_back(std::move(text));
  }
  for (const Json& item : asked) {
    QaQuestion question{.text = TextOf(At(item, "question"))};
    for (const Json& fact : At(item, "supporting_facts")) {
      const auto found = numbers.find(fact.is_array() ? TextOf(fact.front()) : std::string());
      if (found == numbers.end()) continue;
      const int passage = found->second;
      const std::vector<int>& known = question.passages;
      if (std::find(known.begin(), known.end(), passage) == known.end()) {
        question.passages.push_back(passage);
      }
    }
    if (!question.passages.empty()) set.questions.push_back(std::move(question));
  }
  return Checked(std::move(set), questions);
}

absl::StatusOr<QaSet> LoadSquad(const std::filesystem::path& file) {
  M3_ASSIGN_OR_RETURN(const Json json, ReadJson(file));
  QaSet set{.name = file.stem().string()};
  for (const Json& article : At(json, "data")) {
    for (const Json& paragraph : At(article, "paragraphs")) {
      const int number = static_cast<int>(set.passages.size());
      set.passages.push_back(TextOf(At(paragraph, "context")));
      for (const Json& question : At(paragraph, "qas")) {
        set.questions.push_back({TextOf(At(question, "question")), {number}});
      }
    }
  }
  return Checked(std::move(set), file);
}

absl::StatusOr<QaSet> LoadWorld(const std::filesystem::path& folder) {
  M3_ASSIGN_OR_RETURN(const World world,
                      ReadWorld(folder / "encyclopaedia.jsonl", folder / "questions.jsonl"));
  QaSet set{.name = "world"};
  for (const Article& article : world.articles) {
    set.passages.push_back(RetrievalText({.text = article.text, .title = article.title}));
  }
  for (const Question& question : world.questions) {
    if (question.split != Split::kHeldOut) continue;
    set.questions.push_back({absl::StrCat("Question: ", question.text, "\nAnswer:"),
                             {world.article_of.at(question.entity_id)}});
  }
  return Checked(std::move(set), folder);
}

}  // namespace memory3
