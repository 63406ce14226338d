#include "tools/evaluate/record.h"

namespace memory3 {

const char* SettingName(Setting setting) {
  switch (setting) {
    case Setting::kWithout:
      return "no memory";
    case Setting::kRightMemory:
      return "right memory";
    case Setting::kRightAmongFive:
      return "right memory + 4 others";
    case Setting::kWrongMemories:
      return "5 other memories";
    case Setting::kRightText:
      return "right text in the prompt";
    case Setting::kRightTextAmongFive:
      return "right text + 4 others";
    case Setting::kServiceWithout:
      return "service, no memory";
    case Setting::kServiceMemories:
      return "service, retrieved memories";
    case Setting::kServiceTexts:
      return "service, the same as text";
  }
  return "";
}

}  // namespace memory3
