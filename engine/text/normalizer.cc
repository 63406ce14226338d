#include "engine/text/normalizer.h"

#include <functional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/text/byte_level.h"
#include "engine/text/component.h"
#include "engine/text/split.h"
#include "engine/text/unicode.h"
#include "engine/text/utf8.h"

namespace memory3 {
namespace {

// Most normalizers are one function without state of their own.
class FunctionNormalizer : public Normalizer {
 public:
  explicit FunctionNormalizer(std::function<std::string(std::string)> function)
      : function_(std::move(function)) {}
  std::string Normalize(std::string text) const override { return function_(std::move(text)); }

 private:
  const std::function<std::string(std::string)> function_;
};

class SequenceNormalizer : public Normalizer {
 public:
  explicit SequenceNormalizer(std::vector<std::unique_ptr<Normalizer>> steps)
      : steps_(std::move(steps)) {}
  std::string Normalize(std::string text) const override {
    for (const auto& step : steps_) text = step->Normalize(std::move(text));
    return text;
  }

 private:
  const std::vector<std::unique_ptr<Normalizer>> steps_;
};

class ReplaceNormalizer : public Normalizer {
 public:
  ReplaceNormalizer(Regex pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  std::string Normalize(std::string text) const override {
    std::string result;
    for (const Stretch& stretch : FindStretches(pattern_, text)) {
      if (stretch.matched) {
        result += content_;
      } else {
        result.append(text, stretch.begin, stretch.end - stretch.begin);
      }
    }
    return result;
  }

 private:
  const Regex pattern_;
  const std::string content_;
};

template <typename Predicate>
std::string RemoveIf(const std::string& text, Predicate remove) {
  std::string kept;
  ForEachCharacter(text, [&](char32_t c, std::string_view bytes) {
    if (!remove(c)) kept += bytes;
  });
  return kept;
}

std::string CleanForBert(const std::string& text) {
  std::string clean;
  ForEachCharacter(text, [&](char32_t c, std::string_view bytes) {
    const bool line_or_tab = c == '\t' || c == '\n' || c == '\r';
    if (c == 0 || c == 0xFFFD || (!line_or_tab && IsOther(c))) return;
    if (line_or_tab || IsWhitespace(c)) {
      clean += ' ';
    } else {
      clean += bytes;
    }
  });
  return clean;
}

std::string SpaceAroundIdeographs(const std::string& text) {
  std::string spaced;
  ForEachCharacter(text, [&](char32_t c, std::string_view bytes) {
    if (IsCjkIdeograph(c)) {
      spaced.append(" ").append(bytes).append(" ");
    } else {
      spaced += bytes;
    }
  });
  return spaced;
}

absl::StatusOr<std::unique_ptr<Normalizer>> MakeBert(const nlohmann::json& json) {
  const std::string part = "normalizer BertNormalizer";
  M3_ASSIGN_OR_RETURN(const bool clean, BoolField(json, "clean_text", true, part));
  M3_ASSIGN_OR_RETURN(const bool ideographs, BoolField(json, "handle_chinese_chars", true, part));
  M3_ASSIGN_OR_RETURN(const bool lowercase, BoolField(json, "lowercase", true, part));
  M3_ASSIGN_OR_RETURN(const bool strip_accents, BoolField(json, "strip_accents", lowercase, part));
  return std::make_unique<FunctionNormalizer>([=](std::string text) {
    if (clean) text = CleanForBert(text);
    if (ideographs) text = SpaceAroundIdeographs(text);
    if (strip_accents) text = RemoveIf(NormalizeUnicode(text, UnicodeForm::kNfd), IsNonspacingMark);
    if (lowercase) text = ToLower(text);
    return text;
  });
}

std::string StripWhitespace(std::string_view text, bool left, bool right) {
  size_t begin = text.size(), end = 0, position = 0;
  ForEachCharacter(text, [&](char32_t c, std::string_view bytes) {
    if (!IsWhitespace(c)) {
      if (begin == text.size()) begin = position;
      end = position + bytes.size();
    }
    position += bytes.size();
  });
  if (!left) begin = 0;
  if (!right) end = text.size();
  return begin < end ? std::string(text.substr(begin, end - begin)) : "";
}

std::unique_ptr<Normalizer> MakeFunction(std::function<std::string(std::string)> function) {
  return std::make_unique<FunctionNormalizer>(std::move(function));
}

std::unique_ptr<Normalizer> MakeForm(UnicodeForm form) {
  return MakeFunction([form](const std::string& text) { return NormalizeUnicode(text, form); });
}

absl::StatusOr<std::unique_ptr<Normalizer>> MakeSequence(const nlohmann::json& json) {
  if (!json.contains("normalizers") || !json["normalizers"].is_array()) {
    return ComponentError("normalizer Sequence", "normalizers must be a list");
  }
  std::vector<std::unique_ptr<Normalizer>> steps;
  for (const nlohmann::json& step : json["normalizers"]) {
    M3_ASSIGN_OR_RETURN(std::unique_ptr<Normalizer> normalizer, MakeNormalizer(step));
    steps.push_back(std::move(normalizer));
  }
  return std::make_unique<SequenceNormalizer>(std::move(steps));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Normalizer>> MakeNormalizer(const nlohmann::json& json) {
  if (json.is_null()) return MakeFunction([](std::string text) { return text; });
  M3_ASSIGN_OR_RETURN(const std::string type, ComponentType(json, "normalizer"));
  const std::string part = absl::StrCat("normalizer ", type);
  if (type == "Sequence") return MakeSequence(json);
  if (type == "NFC") return MakeForm(UnicodeForm::kNfc);
  if (type == "NFD") return MakeForm(UnicodeForm::kNfd);
  if (type == "NFKC") return MakeForm(UnicodeForm::kNfkc);
  if (type == "NFKD") return MakeForm(UnicodeForm::kNfkd);
  if (type == "Lowercase")
    return MakeFunction([](const std::string& text) { return ToLower(text); });
  if (type == "StripAccents")
    return MakeFunction([](const std::string& text) { return RemoveIf(text, IsMark); });
  if (type == "ByteLevel")
    return MakeFunction([](const std::string& text) { return ToByteAlphabet(text); });
  if (type == "BertNormalizer") return MakeBert(json);
  if (type == "Prepend") {
    M3_ASSIGN_OR_RETURN(const std::string prefix, StringField(json, "prepend", "", part));
    return MakeFunction(
        [prefix](const std::string& text) { return text.empty() ? text : prefix + text; });
  }
  if (type == "Replace") {
    M3_ASSIGN_OR_RETURN(Regex pattern, PatternField(json, part));
    M3_ASSIGN_OR_RETURN(std::string content, StringField(json, "content", "", part));
    return std::make_unique<ReplaceNormalizer>(std::move(pattern), std::move(content));
  }
  if (type == "Strip") {
    M3_ASSIGN_OR_RETURN(const bool left, BoolField(json, "strip_left", true, part));
    M3_ASSIGN_OR_RETURN(const bool right, BoolField(json, "strip_right", true, part));
    return MakeFunction(
        [=](const std::string& text) { return StripWhitespace(text, left, right); });
  }
  return ComponentError("normalizer", absl::StrCat("type '", type, "' is not supported"));
}

}  // namespace memory3
