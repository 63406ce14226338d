// When an answer counts as right.
#ifndef MEMORY3_TOOLS_EVALUATE_ANSWER_TEXT_H_
#define MEMORY3_TOOLS_EVALUATE_ANSWER_TEXT_H_

#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"

namespace memory3 {

// Without white space around it or full stops after it, white space inside as single spaces, ASCII
// letters in lower case.
std::string NormalizedAnswer(std::string_view answer);

enum class AnswerMatch {
  kExact,     // the answer is the value: for models that were trained to answer so
  kContains,  // the value stands in the answer, as whole words: for models that answer in sentences
};

bool IsRight(std::string_view answer, std::string_view expected, AnswerMatch match);

// Whether it is one of the ways of saying that one does not know.
bool SaysUnknown(std::string_view answer, const absl::flat_hash_set<std::string>& unknown_answers,
                 AnswerMatch match);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_EVALUATE_ANSWER_TEXT_H_
