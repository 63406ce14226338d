#include "engine/text/token_decoder.h"

#include <array>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "engine/base/status_macros.h"
#include "engine/text/byte_level.h"
#include "engine/text/component.h"
#include "engine/text/utf8.h"

namespace memory3 {
namespace {

constexpr char kSpaceMark[] = "\xE2\x96\x81";    // U+2581
constexpr char kReplacement[] = "\xEF\xBF\xBD";  // U+FFFD

class SequenceDecoder : public TokenDecoder {
 public:
  explicit SequenceDecoder(std::vector<std::unique_ptr<TokenDecoder>> steps)
      : steps_(std::move(steps)) {}
  void Decode(std::vector<std::string>* tokens) const override {
    for (const auto& step : steps_) step->Decode(tokens);
  }
  std::string DecodeOne(std::string token) const override {
    for (const auto& step : steps_) token = step->DecodeOne(std::move(token));
    return token;
  }
  bool StripsLeadingSpace() const override {
    for (const auto& step : steps_) {
      if (step->StripsLeadingSpace()) return true;
    }
    return false;
  }

 private:
  const std::vector<std::unique_ptr<TokenDecoder>> steps_;
};

class JoinWithSpaces : public TokenDecoder {
 public:
  void Decode(std::vector<std::string>* tokens) const override {
    for (size_t i = 1; i < tokens->size(); ++i) (*tokens)[i].insert(0, " ");
  }
  std::string DecodeOne(std::string token) const override { return " " + token; }
};

class ByteLevelDecoder : public TokenDecoder {
 public:
  void Decode(std::vector<std::string>* tokens) const override {
    std::string bytes;
    for (const std::string& token : *tokens) bytes += FromByteAlphabet(token);
    tokens->assign(1, ReplaceInvalidUtf8(bytes));
  }
  std::string DecodeOne(std::string token) const override { return FromByteAlphabet(token); }
};

// "<0x4F>" -> 0x4F.
std::optional<char> ByteOf(const std::string& token) {
  if (token.size() != 6 || token.rfind("<0x", 0) != 0 || token[5] != '>') return std::nullopt;
  int value = 0;
  if (!absl::ascii_isxdigit(token[3]) || !absl::ascii_isxdigit(token[4]) ||
      !absl::SimpleHexAtoi(token.substr(3, 2), &value)) {
    return std::nullopt;
  }
  return static_cast<char>(value);
}

class ByteFallbackDecoder : public TokenDecoder {
 public:
  void Decode(std::vector<std::string>* tokens) const override {
    std::vector<std::string> decoded;
    std::string bytes;
    // A run of byte tokens that is not valid UTF-8 becomes one U+FFFD per byte.
    const auto flush = [&] {
      if (bytes.empty()) return;
      if (IsValidUtf8(bytes)) {
        decoded.push_back(bytes);
      } else {
        decoded.insert(decoded.end(), bytes.size(), kReplacement);
      }
      bytes.clear();
    };
    for (std::string& token : *tokens) {
      if (const std::optional<char> byte = ByteOf(token)) {
        bytes += *byte;
      } else {
        flush();
        decoded.push_back(std::move(token));
      }
    }
    flush();
    *tokens = std::move(decoded);
  }
  std::string DecodeOne(std::string token) const override {
    const std::optional<char> byte = ByteOf(token);
    return byte.has_value() ? std::string(1, *byte) : token;
  }
};

class FuseDecoder : public TokenDecoder {
 public:
  void Decode(std::vector<std::string>* tokens) const override {
    std::string all;
    for (const std::string& token : *tokens) all += token;
    tokens->assign(1, std::move(all));
  }
  std::string DecodeOne(std::string token) const override { return token; }
};

class ReplaceDecoder : public TokenDecoder {
 public:
  ReplaceDecoder(std::string pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  void Decode(std::vector<std::string>* tokens) const override {
    for (std::string& token : *tokens) token = DecodeOne(std::move(token));
  }
  std::string DecodeOne(std::string token) const override {
    return absl::StrReplaceAll(token, {{pattern_, content_}});
  }

 private:
  const std::string pattern_;
  const std::string content_;
};

// Drops up to `start` and `stop` copies of a character from the ends of a token. Behind a Fuse the
// token is the whole text, so that nothing happens to tokens inside it.
class StripDecoder : public TokenDecoder {
 public:
  StripDecoder(std::string content, int start, int stop)
      : content_(std::move(content)), start_(start), stop_(stop) {}
  void Decode(std::vector<std::string>* tokens) const override {
    for (std::string& token : *tokens) {
      for (int i = 0; i < start_ && token.rfind(content_, 0) == 0; ++i)
        token.erase(0, content_.size());
      for (int i = 0; i < stop_ && EndsWithContent(token); ++i)
        token.erase(token.size() - content_.size());
    }
  }
  std::string DecodeOne(std::string token) const override { return token; }
  bool StripsLeadingSpace() const override { return start_ > 0 && content_ == " "; }

 private:
  bool EndsWithContent(const std::string& token) const {
    return token.size() >= content_.size() &&
           token.compare(token.size() - content_.size(), content_.size(), content_) == 0;
  }
  const std::string content_;
  const int start_;
  const int stop_;
};

class MetaspaceDecoder : public TokenDecoder {
 public:
  MetaspaceDecoder(std::string replacement, bool strip_first)
      : replacement_(std::move(replacement)), strip_first_(strip_first) {}
  void Decode(std::vector<std::string>* tokens) const override {
    for (size_t i = 0; i < tokens->size(); ++i) {
      (*tokens)[i] =
          absl::StrReplaceAll((*tokens)[i], {{replacement_, i == 0 && strip_first_ ? "" : " "}});
    }
  }
  std::string DecodeOne(std::string token) const override {
    return absl::StrReplaceAll(token, {{replacement_, " "}});
  }
  bool StripsLeadingSpace() const override { return strip_first_; }

 private:
  const std::string replacement_;
  const bool strip_first_;
};

class WordPieceDecoder : public TokenDecoder {
 public:
  WordPieceDecoder(std::string prefix, bool cleanup)
      : prefix_(std::move(prefix)), cleanup_(cleanup) {}
  void Decode(std::vector<std::string>* tokens) const override {
    for (size_t i = 0; i < tokens->size(); ++i) {
      std::string& token = (*tokens)[i];
      if (i > 0) token = Join(std::move(token));
      if (cleanup_) token = CleanUp(std::move(token));
    }
  }
  std::string DecodeOne(std::string token) const override {
    token = Join(std::move(token));
    return cleanup_ ? CleanUp(std::move(token)) : token;
  }
  bool StripsLeadingSpace() const override { return true; }

 private:
  std::string Join(std::string token) const {
    if (token.rfind(prefix_, 0) == 0) return token.substr(prefix_.size());
    return " " + token;
  }
  // Punctuation and English contractions lose the space that the joining put before them.
  static std::string CleanUp(std::string token) {
    static constexpr std::array<std::pair<const char*, const char*>, 11> kRules = {
        {{" .", "."},
         {" ?", "?"},
         {" !", "!"},
         {" ,", ","},
         {" ' ", "'"},
         {" n't", "n't"},
         {" 'm", "'m"},
         {" do not", " don't"},
         {" 's", "'s"},
         {" 've", "'ve"},
         {" 're", "'re"}}};
    for (const auto& [from, to] : kRules) token = absl::StrReplaceAll(token, {{from, to}});
    return token;
  }
  const std::string prefix_;
  const bool cleanup_;
};

class BpeSuffixDecoder : public TokenDecoder {
 public:
  explicit BpeSuffixDecoder(std::string suffix) : suffix_(std::move(suffix)) {}
  void Decode(std::vector<std::string>* tokens) const override {
    for (size_t i = 0; i < tokens->size(); ++i) {
      const char* space = i + 1 == tokens->size() ? "" : " ";
      (*tokens)[i] = absl::StrReplaceAll((*tokens)[i], {{suffix_, space}});
    }
  }
  std::string DecodeOne(std::string token) const override {
    return absl::StrReplaceAll(token, {{suffix_, " "}});
  }

 private:
  const std::string suffix_;
};

absl::StatusOr<int> CountField(const nlohmann::json& json, const char* name,
                               const std::string& part) {
  const auto field = json.find(name);
  if (field == json.end()) return 0;
  if (!field->is_number_unsigned() || field->get<uint64_t>() > 1000) {
    return ComponentError(part, absl::StrCat(name, " must be a small count"));
  }
  return field->get<int>();
}

absl::StatusOr<std::unique_ptr<TokenDecoder>> MakeSequence(const nlohmann::json& json,
                                                           const std::string& part) {
  if (!json.contains("decoders") || !json["decoders"].is_array()) {
    return ComponentError(part, "decoders must be a list");
  }
  std::vector<std::unique_ptr<TokenDecoder>> steps;
  for (const nlohmann::json& step : json["decoders"]) {
    M3_ASSIGN_OR_RETURN(std::unique_ptr<TokenDecoder> decoder, MakeTokenDecoder(step));
    steps.push_back(std::move(decoder));
  }
  return std::make_unique<SequenceDecoder>(std::move(steps));
}

absl::StatusOr<std::unique_ptr<TokenDecoder>> MakeReplace(const nlohmann::json& json,
                                                          const std::string& part) {
  const auto pattern = json.find("pattern");
  if (pattern == json.end() || !pattern->is_object() || !pattern->contains("String") ||
      !(*pattern)["String"].is_string() || (*pattern)["String"].get<std::string>().empty()) {
    return ComponentError(part, "only a pattern {\"String\": ...} is supported");
  }
  M3_ASSIGN_OR_RETURN(std::string content, StringField(json, "content", "", part));
  return std::make_unique<ReplaceDecoder>((*pattern)["String"].get<std::string>(),
                                          std::move(content));
}

absl::StatusOr<std::unique_ptr<TokenDecoder>> MakeMetaspace(const nlohmann::json& json,
                                                            const std::string& part) {
  M3_ASSIGN_OR_RETURN(std::string replacement, StringField(json, "replacement", kSpaceMark, part));
  M3_ASSIGN_OR_RETURN(const bool prefix, BoolField(json, "add_prefix_space", true, part));
  M3_ASSIGN_OR_RETURN(const std::string scheme,
                      StringField(json, "prepend_scheme", prefix ? "always" : "never", part));
  if (replacement.empty()) return ComponentError(part, "replacement must not be empty");
  return std::make_unique<MetaspaceDecoder>(std::move(replacement), scheme != "never");
}

}  // namespace

absl::StatusOr<std::unique_ptr<TokenDecoder>> MakeTokenDecoder(const nlohmann::json& json) {
  if (json.is_null()) return std::make_unique<JoinWithSpaces>();
  M3_ASSIGN_OR_RETURN(const std::string type, ComponentType(json, "decoder"));
  const std::string part = absl::StrCat("decoder ", type);
  if (type == "Sequence") return MakeSequence(json, part);
  if (type == "ByteLevel") return std::make_unique<ByteLevelDecoder>();
  if (type == "ByteFallback") return std::make_unique<ByteFallbackDecoder>();
  if (type == "Fuse") return std::make_unique<FuseDecoder>();
  if (type == "Replace") return MakeReplace(json, part);
  if (type == "Metaspace") return MakeMetaspace(json, part);
  if (type == "Strip") {
    M3_ASSIGN_OR_RETURN(std::string content, StringField(json, "content", " ", part));
    M3_ASSIGN_OR_RETURN(const int start, CountField(json, "start", part));
    M3_ASSIGN_OR_RETURN(const int stop, CountField(json, "stop", part));
    if (content.empty()) return ComponentError(part, "content must not be empty");
    return std::make_unique<StripDecoder>(std::move(content), start, stop);
  }
  if (type == "WordPiece") {
    M3_ASSIGN_OR_RETURN(std::string prefix, StringField(json, "prefix", "##", part));
    M3_ASSIGN_OR_RETURN(const bool cleanup, BoolField(json, "cleanup", true, part));
    return std::make_unique<WordPieceDecoder>(std::move(prefix), cleanup);
  }
  if (type == "BPEDecoder") {
    M3_ASSIGN_OR_RETURN(std::string suffix, StringField(json, "suffix", "</w>", part));
    if (suffix.empty()) return ComponentError(part, "suffix must not be empty");
    return std::make_unique<BpeSuffixDecoder>(std::move(suffix));
  }
  return ComponentError("decoder", absl::StrCat("type '", type, "' is not supported"));
}

}  // namespace memory3
