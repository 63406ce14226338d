#include "engine/text/pre_tokenizer.h"

#include <functional>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/text/byte_level.h"
#include "engine/text/component.h"
#include "engine/text/split.h"
#include "engine/text/unicode.h"

namespace memory3 {
namespace {

// GPT-2's words: contractions, letters, digits and other signs with one space before them, and runs
// of white space.
constexpr char kByteLevelPattern[] =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr char kSpaceMark[] = "\xE2\x96\x81";  // U+2581

using FindFunction = std::function<std::vector<Stretch>(std::string_view)>;

// Cuts at what `find` finds.
class SplitPreTokenizer : public PreTokenizer {
 public:
  SplitPreTokenizer(FindFunction find, SplitBehavior behavior, bool invert = false)
      : find_(std::move(find)), behavior_(behavior), invert_(invert) {}

  void Cut(std::vector<TextPiece>* pieces) const override {
    std::vector<TextPiece> cut;
    for (const TextPiece& piece : *pieces) {
      std::vector<Stretch> stretches = find_(piece.text);
      for (Stretch& stretch : stretches) stretch.matched = stretch.matched != invert_;
      for (const Stretch& stretch : ApplyBehavior(std::move(stretches), behavior_)) {
        cut.push_back({piece.text.substr(stretch.begin, stretch.end - stretch.begin),
                       piece.at_start && stretch.begin == 0});
      }
    }
    *pieces = std::move(cut);
  }

 private:
  const FindFunction find_;
  const SplitBehavior behavior_;
  const bool invert_;
};

class SequencePreTokenizer : public PreTokenizer {
 public:
  explicit SequencePreTokenizer(std::vector<std::unique_ptr<PreTokenizer>> steps)
      : steps_(std::move(steps)) {}
  void Cut(std::vector<TextPiece>* pieces) const override {
    for (const auto& step : steps_) step->Cut(pieces);
  }

 private:
  const std::vector<std::unique_ptr<PreTokenizer>> steps_;
};

class ByteLevelPreTokenizer : public PreTokenizer {
 public:
  ByteLevelPreTokenizer(bool add_prefix_space, std::unique_ptr<PreTokenizer> split)
      : add_prefix_space_(add_prefix_space), split_(std::move(split)) {}

  void Cut(std::vector<TextPiece>* pieces) const override {
    if (add_prefix_space_) {
      for (TextPiece& piece : *pieces) {
        if (piece.text.empty() || piece.text.front() != ' ') piece.text.insert(0, " ");
      }
    }
    if (split_ != nullptr) split_->Cut(pieces);
    for (TextPiece& piece : *pieces) piece.text = ToByteAlphabet(piece.text);
  }

 private:
  const bool add_prefix_space_;
  const std::unique_ptr<PreTokenizer> split_;  // null: use_regex is false
};

class MetaspacePreTokenizer : public PreTokenizer {
 public:
  enum class Prepend { kAlways, kFirst, kNever };
  MetaspacePreTokenizer(std::string replacement, Prepend prepend,
                        std::unique_ptr<PreTokenizer> split)
      : replacement_(std::move(replacement)), prepend_(prepend), split_(std::move(split)) {}

  void Cut(std::vector<TextPiece>* pieces) const override {
    for (TextPiece& piece : *pieces) {
      std::string marked;
      for (char c : piece.text) {
        if (c == ' ') {
          marked += replacement_;
        } else {
          marked += c;
        }
      }
      const bool prepend =
          prepend_ == Prepend::kAlways || (prepend_ == Prepend::kFirst && piece.at_start);
      if (prepend && marked.rfind(replacement_, 0) != 0) marked.insert(0, replacement_);
      piece.text = std::move(marked);
    }
    if (split_ != nullptr) split_->Cut(pieces);
  }

 private:
  const std::string replacement_;
  const Prepend prepend_;
  const std::unique_ptr<PreTokenizer> split_;
};

std::unique_ptr<PreTokenizer> SplitBy(bool (*matches)(char32_t), SplitBehavior behavior) {
  return std::make_unique<SplitPreTokenizer>(
      [matches](std::string_view text) { return FindStretches(matches, text); }, behavior);
}

std::unique_ptr<PreTokenizer> SplitBy(Regex pattern, SplitBehavior behavior, bool invert) {
  auto shared = std::make_shared<const Regex>(std::move(pattern));
  return std::make_unique<SplitPreTokenizer>(
      [shared](std::string_view text) { return FindStretches(*shared, text); }, behavior, invert);
}

absl::StatusOr<std::unique_ptr<PreTokenizer>> SplitBy(const char* pattern, SplitBehavior behavior,
                                                      bool invert) {
  M3_ASSIGN_OR_RETURN(Regex regex, Regex::Compile(pattern));
  return SplitBy(std::move(regex), behavior, invert);
}

absl::StatusOr<std::unique_ptr<PreTokenizer>> MakeByteLevel(const nlohmann::json& json,
                                                            const std::string& part) {
  M3_ASSIGN_OR_RETURN(const bool prefix, BoolField(json, "add_prefix_space", true, part));
  M3_ASSIGN_OR_RETURN(const bool use_regex, BoolField(json, "use_regex", true, part));
  std::unique_ptr<PreTokenizer> split;
  if (use_regex) {
    M3_ASSIGN_OR_RETURN(split, SplitBy(kByteLevelPattern, SplitBehavior::kIsolated, false));
  }
  return std::make_unique<ByteLevelPreTokenizer>(prefix, std::move(split));
}

absl::StatusOr<std::unique_ptr<PreTokenizer>> MakeMetaspace(const nlohmann::json& json,
                                                            const std::string& part) {
  using Prepend = MetaspacePreTokenizer::Prepend;
  M3_ASSIGN_OR_RETURN(const std::string replacement,
                      StringField(json, "replacement", kSpaceMark, part));
  // Older files say add_prefix_space instead of prepend_scheme.
  M3_ASSIGN_OR_RETURN(const bool prefix, BoolField(json, "add_prefix_space", true, part));
  M3_ASSIGN_OR_RETURN(const std::string scheme,
                      StringField(json, "prepend_scheme", prefix ? "always" : "never", part));
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    return ComponentError(part, absl::StrCat("prepend_scheme '", scheme, "' is not supported"));
  }
  const Prepend prepend = scheme == "always"  ? Prepend::kAlways
                          : scheme == "first" ? Prepend::kFirst
                                              : Prepend::kNever;
  M3_ASSIGN_OR_RETURN(const bool cut, BoolField(json, "split", true, part));
  std::unique_ptr<PreTokenizer> split;
  if (cut) {
    M3_ASSIGN_OR_RETURN(Regex mark, Regex::Literal(replacement));
    split = SplitBy(std::move(mark), SplitBehavior::kMergedWithNext, false);
  }
  return std::make_unique<MetaspacePreTokenizer>(replacement, prepend, std::move(split));
}

absl::StatusOr<std::unique_ptr<PreTokenizer>> MakeSplit(const nlohmann::json& json,
                                                        const std::string& part) {
  M3_ASSIGN_OR_RETURN(Regex pattern, PatternField(json, part));
  M3_ASSIGN_OR_RETURN(const std::string name, StringField(json, "behavior", "", part));
  M3_ASSIGN_OR_RETURN(const SplitBehavior behavior, ParseSplitBehavior(name, part));
  M3_ASSIGN_OR_RETURN(const bool invert, BoolField(json, "invert", false, part));
  return SplitBy(std::move(pattern), behavior, invert);
}

absl::StatusOr<std::unique_ptr<PreTokenizer>> MakeSequence(const nlohmann::json& json,
                                                           const std::string& part) {
  if (!json.contains("pretokenizers") || !json["pretokenizers"].is_array()) {
    return ComponentError(part, "pretokenizers must be a list");
  }
  std::vector<std::unique_ptr<PreTokenizer>> steps;
  for (const nlohmann::json& step : json["pretokenizers"]) {
    M3_ASSIGN_OR_RETURN(std::unique_ptr<PreTokenizer> pre_tokenizer, MakePreTokenizer(step));
    steps.push_back(std::move(pre_tokenizer));
  }
  return std::make_unique<SequencePreTokenizer>(std::move(steps));
}

// Runs of word characters and runs of other signs.
std::unique_ptr<PreTokenizer> MakeWhitespace() {
  std::vector<std::unique_ptr<PreTokenizer>> steps;
  steps.push_back(SplitBy(IsWhitespace, SplitBehavior::kRemoved));
  steps.push_back(SplitBy(IsWordCharacter, SplitBehavior::kContiguous));
  return std::make_unique<SequencePreTokenizer>(std::move(steps));
}

std::unique_ptr<PreTokenizer> MakeBert() {
  std::vector<std::unique_ptr<PreTokenizer>> steps;
  steps.push_back(SplitBy(IsWhitespace, SplitBehavior::kRemoved));
  steps.push_back(SplitBy(IsPunctuation, SplitBehavior::kIsolated));
  return std::make_unique<SequencePreTokenizer>(std::move(steps));
}

}  // namespace

absl::StatusOr<std::unique_ptr<PreTokenizer>> MakePreTokenizer(const nlohmann::json& json) {
  if (json.is_null())
    return std::make_unique<SequencePreTokenizer>(std::vector<std::unique_ptr<PreTokenizer>>());
  M3_ASSIGN_OR_RETURN(const std::string type, ComponentType(json, "pre_tokenizer"));
  const std::string part = absl::StrCat("pre_tokenizer ", type);
  if (type == "Sequence") return MakeSequence(json, part);
  if (type == "ByteLevel") return MakeByteLevel(json, part);
  if (type == "Metaspace") return MakeMetaspace(json, part);
  if (type == "Split") return MakeSplit(json, part);
  if (type == "BertPreTokenizer") return MakeBert();
  if (type == "WhitespaceSplit") return SplitBy(IsWhitespace, SplitBehavior::kRemoved);
  if (type == "Whitespace") return MakeWhitespace();
  if (type == "Punctuation") {
    M3_ASSIGN_OR_RETURN(const std::string name, StringField(json, "behavior", "Isolated", part));
    M3_ASSIGN_OR_RETURN(const SplitBehavior behavior, ParseSplitBehavior(name, part));
    return SplitBy(IsPunctuation, behavior);
  }
  if (type == "Digits") {
    M3_ASSIGN_OR_RETURN(const bool individual, BoolField(json, "individual_digits", false, part));
    return SplitBy(IsNumeric, individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous);
  }
  if (type == "CharDelimiterSplit") {
    M3_ASSIGN_OR_RETURN(const std::string delimiter, StringField(json, "delimiter", " ", part));
    M3_ASSIGN_OR_RETURN(Regex pattern, Regex::Literal(delimiter));
    return SplitBy(std::move(pattern), SplitBehavior::kRemoved, false);
  }
  return ComponentError("pre_tokenizer", absl::StrCat("type '", type, "' is not supported"));
}

}  // namespace memory3
