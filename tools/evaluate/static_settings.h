// Questions with references that are chosen beforehand, asked of a runner in this process: what the
// model can do, whatever retrieval does.
#ifndef MEMORY3_TOOLS_EVALUATE_STATIC_SETTINGS_H_
#define MEMORY3_TOOLS_EVALUATE_STATIC_SETTINGS_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "tools/evaluate/drawing.h"
#include "tools/evaluate/greedy_batch.h"
#include "tools/evaluate/judge.h"
#include "tools/evaluate/prompt.h"
#include "tools/memory_subject.h"

namespace memory3 {

// Memory slots that a batch of so many questions fills.
inline constexpr int kSlotsPerQuestion = 1 + kWrongReferences;

class StaticSettings {
 public:
  // All must outlive the object. The subject has kSlotsPerQuestion memory slots for each of
  // batch.size() questions.
  StaticSettings(const MemorySubject& subject, const World& world, const PromptMaker& prompts,
                 const Judge& judge, GreedyBatch& batch)
      : subject_(subject), world_(world), prompts_(prompts), judge_(judge), batch_(batch) {}

  // Asks every question in every setting that it has references for, and appends the records.
  // `done` hears of the questions that are through.
  absl::Status Ask(uint64_t seed, absl::Span<const DrawnQuestion> drawn,
                   const std::function<void(int)>& done, std::vector<Record>* records);

 private:
  absl::Status AskBatch(uint64_t seed, absl::Span<const DrawnQuestion> drawn,
                        std::vector<Record>* records);
  absl::Status FillSlots(absl::Span<const DrawnQuestion> drawn);
  // References of a question in a setting: indexes into its own slots.
  std::vector<int> ReferencesOf(const DrawnQuestion& one, Setting setting) const;
  absl::StatusOr<GreedyPrompt> ToPrompt(const DrawnQuestion& one, int place, Setting setting) const;

  const MemorySubject& subject_;
  const World& world_;
  const PromptMaker& prompts_;
  const Judge& judge_;
  GreedyBatch& batch_;
};

}  // namespace memory3

#endif  // MEMORY3_TOOLS_EVALUATE_STATIC_SETTINGS_H_
