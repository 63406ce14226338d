#include "tools/evaluate/fact_nll.h"

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "tools/evaluate/drawing.h"
#include "tools/nll_scorer.h"
#include "tools/reference_memories.h"

namespace memory3 {
namespace {

constexpr MemorySlot kRight = 0, kWrong = 1;

struct Facts {
  std::string article, other_article, text;
};

std::vector<Facts> FactsOf(const World& world, Split split, int count, uint64_t seed) {
  absl::flat_hash_map<std::string, std::string> texts;
  for (const Question& question : world.questions) {
    if (question.sentence.empty()) continue;
    std::string& text = texts[question.entity_id];
    absl::StrAppend(&text, text.empty() || question.language == "zh" ? "" : " ", question.sentence);
  }
  std::vector<Facts> facts;
  absl::flat_hash_map<std::string, bool> taken;
  // The first questions drawn are of different entities.
  for (const DrawnQuestion& one : DrawQuestions(world, split, count, seed)) {
    const std::string& entity = world.questions[one.question].entity_id;
    const auto text = texts.find(entity);
    if (text == texts.end() || !taken.emplace(entity, true).second) continue;
    facts.push_back(
        {world.articles[one.right].text, world.articles[one.wrong.back()].text, text->second});
  }
  return facts;
}

class FactScorer {
 public:
  explicit FactScorer(const MemorySubject& subject) : subject_(subject), scorer_(*subject.runner) {}

  absl::Status Add(const Facts& facts, NllScores* scores) {
    M3_RETURN_IF_ERROR(FillWithTexts({facts.article, facts.other_article}, {kRight, kWrong},
                                     *subject_.tokenizer, *subject_.runner));
    const std::vector<int32_t> text = WithBos({facts.text});
    M3_RETURN_IF_ERROR(Append({.tokens = text}, &scores->plain));
    NllScorer::Text read = {.tokens = text, .use_memory = true};
    M3_RETURN_IF_ERROR(Append(read, &scores->none));
    read.memories = {&kRight, 1};
    M3_RETURN_IF_ERROR(Append(read, &scores->right));
    read.memories = {&kWrong, 1};
    M3_RETURN_IF_ERROR(Append(read, &scores->wrong));
    const std::vector<int32_t> whole = WithBos({absl::StrCat(facts.article, "\n"), facts.text});
    const auto first = static_cast<int>(whole.size() - text.size()) + 1;
    return Append({.tokens = whole, .first_scored = first}, &scores->context);
  }

 private:
  // Parts are encoded one by one, so that the text has the same tokens with and without context.
  std::vector<int32_t> WithBos(const std::vector<std::string>& parts) const {
    std::vector<int32_t> ids = {subject_.config.bos_token};
    for (const std::string& part : parts) {
      const std::vector<int32_t> more = subject_.tokenizer->Encode(
          part, {.add_special_tokens = false, .parse_special_tokens = false});
      ids.insert(ids.end(), more.begin(), more.end());
    }
    return ids;
  }

  absl::Status Append(const NllScorer::Text& text, std::vector<double>* scores) {
    M3_ASSIGN_OR_RETURN(scores->emplace_back(), scorer_.Score(text));
    return absl::OkStatus();
  }

  const MemorySubject& subject_;
  NllScorer scorer_;
};

}  // namespace

absl::StatusOr<NllScores> ScoreFacts(const MemorySubject& subject, const World& world, Split split,
                                     int count, uint64_t seed) {
  const std::vector<Facts> facts = FactsOf(world, split, count, seed);
  if (facts.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("no question of the ", SplitName(split),
                                                   " split has a sentence: nothing to score"));
  }
  FactScorer scorer(subject);
  NllScores scores;
  for (const Facts& one : facts) M3_RETURN_IF_ERROR(scorer.Add(one, &scores));
  return scores;
}

}  // namespace memory3
