#include "tools/evaluate/world_files.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "tools/evaluate/answer_text.h"
#include "tools/evaluate/json_lines.h"

namespace memory3 {
namespace {

absl::StatusOr<std::string> Required(const JsonFields& fields, const char* name) {
  M3_ASSIGN_OR_RETURN(std::string value, fields.String(name, ""));
  if (value.empty()) return fields.Error(name, "missing or empty");
  return value;
}

// A number or a string: the two files may spell an entity's id either way.
absl::StatusOr<std::string> Id(const JsonFields& fields, const char* name) {
  if (fields.Has(name) && fields.at(name).is_number_integer()) return fields.at(name).dump();
  return Required(fields, name);
}

std::optional<Split> SplitNamed(const std::string& name) {
  for (const Split split : kSplits) {
    if (name == SplitName(split)) return split;
  }
  return std::nullopt;
}

absl::StatusOr<Article> ToArticle(const JsonFields& fields) {
  Article article;
  M3_ASSIGN_OR_RETURN(article.id, Id(fields, "id"));
  M3_ASSIGN_OR_RETURN(article.title, Required(fields, "title"));
  M3_ASSIGN_OR_RETURN(article.text, Required(fields, "text"));
  M3_ASSIGN_OR_RETURN(article.kind, fields.String("kind", ""));
  M3_ASSIGN_OR_RETURN(article.language, fields.String("language", ""));
  return article;
}

absl::StatusOr<Question> ToQuestion(const JsonFields& fields) {
  Question question;
  M3_ASSIGN_OR_RETURN(question.entity_id, Id(fields, "entity_id"));
  M3_ASSIGN_OR_RETURN(const std::string name, Required(fields, "split"));
  const std::optional<Split> split = SplitNamed(name);
  if (!split.has_value()) return fields.Error("split", "must be train, held_out or absent");
  question.split = *split;
  M3_ASSIGN_OR_RETURN(question.text, Required(fields, "question"));
  M3_ASSIGN_OR_RETURN(question.answer, Required(fields, "answer"));
  M3_ASSIGN_OR_RETURN(question.entity, fields.String("entity", ""));
  M3_ASSIGN_OR_RETURN(question.kind, fields.String("kind", ""));
  M3_ASSIGN_OR_RETURN(question.language, fields.String("language", ""));
  M3_ASSIGN_OR_RETURN(question.attribute, fields.String("attribute", ""));
  M3_ASSIGN_OR_RETURN(question.sentence, fields.String("sentence", ""));
  return question;
}

}  // namespace

const char* SplitName(Split split) {
  switch (split) {
    case Split::kTrain:
      return "train";
    case Split::kHeldOut:
      return "held_out";
    case Split::kAbsent:
      return "absent";
  }
  return "";
}

absl::StatusOr<World> ReadWorld(const std::filesystem::path& encyclopaedia,
                                const std::filesystem::path& questions) {
  World world;
  M3_RETURN_IF_ERROR(ForJsonLines(encyclopaedia, [&](const JsonFields& fields) -> absl::Status {
    M3_ASSIGN_OR_RETURN(Article article, ToArticle(fields));
    if (!world.article_of.emplace(article.id, world.articles.size()).second) {
      return fields.Error("id", "is that of an earlier line");
    }
    world.articles.push_back(std::move(article));
    return absl::OkStatus();
  }));
  M3_RETURN_IF_ERROR(ForJsonLines(questions, [&](const JsonFields& fields) -> absl::Status {
    M3_ASSIGN_OR_RETURN(Question question, ToQuestion(fields));
    const bool absent = question.split == Split::kAbsent;
    if (world.article_of.contains(question.entity_id) == absent) {
      return fields.Error("entity_id", absl::StrCat(absent ? "there is" : "there is no",
                                                    " article of it in ", encyclopaedia.string()));
    }
    if (absent) world.unknown_answers.insert(NormalizedAnswer(question.answer));
    world.questions.push_back(std::move(question));
    return absl::OkStatus();
  }));
  if (world.questions.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(questions.string(), ": holds no question"));
  }
  return world;
}

}  // namespace memory3
