// Turns answers into records.
#ifndef MEMORY3_TOOLS_EVALUATE_JUDGE_H_
#define MEMORY3_TOOLS_EVALUATE_JUDGE_H_

#include <optional>
#include <string>

#include "tools/evaluate/answer_text.h"
#include "tools/evaluate/record.h"
#include "tools/evaluate/world_files.h"

namespace memory3 {

// The world must outlive it.
class Judge {
 public:
  Judge(const World& world, AnswerMatch match) : world_(world), match_(match) {}

  Record Judged(uint64_t seed, Setting setting, int question,
                std::optional<std::string> answer) const {
    Record record = {.seed = seed, .setting = setting, .question = question};
    const Question& asked = world_.questions[question];
    if (answer.has_value()) {
      record.unknown = SaysUnknown(*answer, world_.unknown_answers, match_);
      record.right =
          asked.split == Split::kAbsent ? record.unknown : IsRight(*answer, asked.answer, match_);
    }
    record.answer = std::move(answer);
    return record;
  }
  AnswerMatch match() const { return match_; }

 private:
  const World& world_;
  const AnswerMatch match_;
};

}  // namespace memory3

#endif  // MEMORY3_TOOLS_EVALUATE_JUDGE_H_
