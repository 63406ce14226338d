#include "tools/evaluate/static_settings.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "engine/base/status_macros.h"
#include "tools/reference_memories.h"

namespace memory3 {
namespace {

constexpr Setting kStatic[] = {Setting::kWithout,        Setting::kRightMemory,
                               Setting::kRightAmongFive, Setting::kWrongMemories,
                               Setting::kRightText,      Setting::kRightTextAmongFive};

bool NeedsRight(Setting setting) {
  return setting != Setting::kWithout && setting != Setting::kWrongMemories;
}

bool IsText(Setting setting) {
  return setting == Setting::kRightText || setting == Setting::kRightTextAmongFive;
}

// Slot 0 of a question holds the right memory, the others the wrong ones.
int ArticleOf(const DrawnQuestion& one, int slot) {
  return slot == 0 ? one.right : one.wrong[slot - 1];
}

}  // namespace

absl::Status StaticSettings::Ask(uint64_t seed, absl::Span<const DrawnQuestion> drawn,
                                 const std::function<void(int)>& done,
                                 std::vector<Record>* records) {
  for (size_t begin = 0; begin < drawn.size(); begin += batch_.size()) {
    const absl::Span<const DrawnQuestion> some = drawn.subspan(begin, batch_.size());
    M3_RETURN_IF_ERROR(AskBatch(seed, some, records));
    done(static_cast<int>(begin + some.size()));
  }
  return absl::OkStatus();
}

absl::Status StaticSettings::AskBatch(uint64_t seed, absl::Span<const DrawnQuestion> drawn,
                                      std::vector<Record>* records) {
  M3_RETURN_IF_ERROR(FillSlots(drawn));
  for (const Setting setting : kStatic) {
    std::vector<GreedyPrompt> prompts;
    std::vector<int> questions;
    for (size_t i = 0; i < drawn.size(); ++i) {
      if (NeedsRight(setting) && drawn[i].right < 0) continue;
      M3_ASSIGN_OR_RETURN(prompts.emplace_back(), ToPrompt(drawn[i], static_cast<int>(i), setting));
      questions.push_back(drawn[i].question);
    }
    M3_ASSIGN_OR_RETURN(std::vector<std::optional<std::string>> answers, batch_.Answer(prompts));
    for (size_t i = 0; i < answers.size(); ++i) {
      records->push_back(judge_.Judged(seed, setting, questions[i], std::move(answers[i])));
    }
  }
  return absl::OkStatus();
}

absl::Status StaticSettings::FillSlots(absl::Span<const DrawnQuestion> drawn) {
  std::vector<std::string> texts;
  std::vector<MemorySlot> slots;
  for (size_t i = 0; i < drawn.size(); ++i) {
    for (int slot = 0; slot < kSlotsPerQuestion; ++slot) {
      const int article = ArticleOf(drawn[i], slot);
      if (article < 0) continue;
      texts.push_back(world_.articles[article].text);
      slots.push_back(static_cast<MemorySlot>(i) * kSlotsPerQuestion + slot);
    }
  }
  return FillWithTexts(texts, slots, *subject_.tokenizer, *subject_.runner);
}

std::vector<int> StaticSettings::ReferencesOf(const DrawnQuestion& one, Setting setting) const {
  if (setting == Setting::kWithout) return {};
  if (setting == Setting::kRightMemory || setting == Setting::kRightText) return {0};
  std::vector<int> references;
  for (int wrong = 1; wrong <= kDistractors; ++wrong) references.push_back(wrong);
  const bool right = NeedsRight(setting);
  references.insert(references.begin() + one.place_of_right, right ? 0 : kWrongReferences);
  // A model may attach fewer than five; the right one is among them.
  const size_t most =
      IsText(setting) ? references.size() : subject_.runner->info().memory.memories_per_chunk;
  while (references.size() > most) {
    references.erase(references.back() == 0 ? references.begin() : references.end() - 1);
  }
  return references;
}

absl::StatusOr<GreedyPrompt> StaticSettings::ToPrompt(const DrawnQuestion& one, int place,
                                                      Setting setting) const {
  const std::vector<int> references = ReferencesOf(one, setting);
  std::vector<std::string> texts;
  GreedyPrompt prompt;
  prompt.use_memory = setting != Setting::kWithout && !IsText(setting);
  for (const int reference : references) {
    if (IsText(setting)) texts.push_back(world_.articles[ArticleOf(one, reference)].text);
    if (prompt.use_memory) prompt.memories.push_back(place * kSlotsPerQuestion + reference);
  }
  M3_ASSIGN_OR_RETURN(prompt.tokens,
                      prompts_.Encode(prompts_.Make(world_.questions[one.question].text, texts)));
  return prompt;
}

}  // namespace memory3
