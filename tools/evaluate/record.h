// One answer, and how it was judged.
#ifndef MEMORY3_TOOLS_EVALUATE_RECORD_H_
#define MEMORY3_TOOLS_EVALUATE_RECORD_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "tools/evaluate/world_files.h"

namespace memory3 {

// What the model had before it when it was asked.
enum class Setting {
  kWithout,             // a plain decoder, nothing attached
  kRightMemory,         // the memory of the entity's article
  kRightAmongFive,      // that and four others
  kWrongMemories,       // five others
  kRightText,           // the article in the prompt
  kRightTextAmongFive,  // that and four others in the prompt
  kServiceWithout,      // the running service, memory switched off
  kServiceMemories,     // the running service, what it retrieved
  kServiceTexts,        // the running service, the texts of what it retrieved in the prompt
};
inline constexpr std::array<Setting, 9> kSettings = {
    Setting::kWithout,        Setting::kRightMemory,     Setting::kRightAmongFive,
    Setting::kWrongMemories,  Setting::kRightText,       Setting::kRightTextAmongFive,
    Setting::kServiceWithout, Setting::kServiceMemories, Setting::kServiceTexts};
const char* SettingName(Setting setting);  // for people

struct Record {
  uint64_t seed = 0;
  Setting setting = Setting::kWithout;
  int question = 0;                   // index into World::questions
  std::optional<std::string> answer;  // none: the prompt did not fit the context
  bool right = false;                 // of an absent entity: says that it does not know
  bool unknown = false;               // says that it does not know
  std::optional<bool> retrieved;      // whether the right reference was among those retrieved
};

}  // namespace memory3

#endif  // MEMORY3_TOOLS_EVALUATE_RECORD_H_
