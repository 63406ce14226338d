// Hugging Face's tokenizer.json: added tokens, normalizer, pre-tokenizer, model, post-processor and
// decoder in a row.
#include <filesystem>
#include <optional>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/text/added_tokens.h"
#include "engine/text/component.h"
#include "engine/text/normalizer.h"
#include "engine/text/post_processor.h"
#include "engine/text/pre_tokenizer.h"
#include "engine/text/token_decoder.h"
#include "engine/text/token_model.h"
#include "engine/text/tokenizer.h"
#include "engine/text/tokenizer_files.h"
#include "engine/text/utf8.h"
#include "engine/text/vocabulary.h"

namespace memory3 {
namespace {

class JsonTokenizer : public Tokenizer {
 public:
  static absl::StatusOr<std::unique_ptr<Tokenizer>> Make(const nlohmann::json& json,
                                                         const TokenizerConfig& config);

  std::vector<int32_t> Encode(std::string_view text, const EncodeOptions& options) const override {
    std::string clean;
    if (!IsValidUtf8(text)) {
      clean = ReplaceInvalidUtf8(text);
      text = clean;
    }
    std::vector<int32_t> ids;
    if (options.add_special_tokens) ids = post_processor_.prefix;
    EncodeRaw(text, options.parse_special_tokens, &ids);
    if (options.add_special_tokens) {
      ids.insert(ids.end(), post_processor_.suffix.begin(), post_processor_.suffix.end());
    }
    return ids;
  }

  std::string Decode(absl::Span<const int32_t> ids, bool skip_special_tokens) const override {
    std::vector<std::string> tokens;
    for (int32_t id : ids) {
      if (TokenText(id).empty() || (skip_special_tokens && IsSpecial(id))) continue;
      tokens.emplace_back(TokenText(id));
    }
    decoder_->Decode(&tokens);
    std::string text;
    for (const std::string& token : tokens) text += token;
    return text;
  }

  std::string TokenBytes(int32_t id) const override {
    const std::string token(TokenText(id));
    return token.empty() || IsSpecial(id) ? token : decoder_->DecodeOne(token);
  }

  int vocab_size() const override { return vocabulary_.size(); }
  std::optional<int32_t> TokenId(std::string_view token) const override {
    return vocabulary_.Find(token);
  }
  std::string_view TokenText(int32_t id) const override { return vocabulary_.Text(id); }
  bool IsSpecial(int32_t id) const override {
    return id >= 0 && id < static_cast<int32_t>(special_.size()) && special_[id];
  }
  bool StripsLeadingSpace() const override { return decoder_->StripsLeadingSpace(); }

 private:
  absl::Status ReadAddedTokens(const nlohmann::json& json);
  absl::Status ReadPostProcessor(const nlohmann::json& json, const TokenizerConfig& config);

  // Added tokens of the raw text first; what lies between is normalized and searched for those of
  // the normalized text.
  void EncodeRaw(std::string_view text, bool find_special, std::vector<int32_t>* ids) const {
    for (const AddedTokenSpan& span : raw_tokens_->Split(text, find_special)) {
      if (span.token.has_value()) {
        ids->push_back(*span.token);
        continue;
      }
      const std::string normalized =
          normalizer_->Normalize(std::string(text.substr(span.begin, span.end - span.begin)));
      for (const AddedTokenSpan& part : normalized_tokens_->Split(normalized, find_special)) {
        if (part.token.has_value()) {
          ids->push_back(*part.token);
        } else {
          EncodeWords(normalized.substr(part.begin, part.end - part.begin),
                      span.begin == 0 && part.begin == 0, ids);
        }
      }
    }
  }

  void EncodeWords(std::string text, bool at_start, std::vector<int32_t>* ids) const {
    std::vector<TextPiece> pieces;
    pieces.push_back({std::move(text), at_start});
    pre_tokenizer_->Cut(&pieces);
    for (const TextPiece& piece : pieces) {
      if (!piece.text.empty()) model_->Tokenize(piece.text, ids);
    }
  }

  Vocabulary vocabulary_;
  std::vector<bool> special_;  // by id
  std::unique_ptr<AddedTokenMatcher> raw_tokens_;
  std::unique_ptr<AddedTokenMatcher> normalized_tokens_;
  std::unique_ptr<Normalizer> normalizer_;
  std::unique_ptr<PreTokenizer> pre_tokenizer_;
  std::unique_ptr<TokenModel> model_;
  std::unique_ptr<TokenDecoder> decoder_;
  PostProcessor post_processor_;
};

absl::Status ReadVocabulary(const nlohmann::json& model, Vocabulary* vocabulary) {
  if (!model.contains("vocab") || !model["vocab"].is_object()) {
    return ComponentError("model", "vocab must be an object of tokens and ids");
  }
  for (const auto& [token, id] : model["vocab"].items()) {
    if (!id.is_number_integer())
      return ComponentError("model", absl::StrCat("token '", token, "' has no integer id"));
    const absl::Status added = vocabulary->Add(token, id.get<int64_t>());
    if (!added.ok()) return ComponentError("model", std::string(added.message()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<TokenModel>> MakeModel(const nlohmann::json& model,
                                                      const Vocabulary& vocabulary) {
  // Files of early versions leave the type out: only BPE has merges.
  const std::string fallback = model.contains("merges") ? "BPE" : "WordPiece";
  M3_ASSIGN_OR_RETURN(const std::string type, StringField(model, "type", fallback, "model"));
  if (type == "BPE") return MakeBpe(model, vocabulary);
  if (type == "WordPiece") return MakeWordPiece(model, vocabulary);
  return ComponentError("model",
                        absl::StrCat("type '", type, "' is not supported (BPE, WordPiece)"));
}

const nlohmann::json& FieldOrNull(const nlohmann::json& json, const char* name) {
  static const nlohmann::json null;
  const auto field = json.find(name);
  return field == json.end() ? null : *field;
}

absl::Status JsonTokenizer::ReadAddedTokens(const nlohmann::json& json) {
  if (!json.is_null() && !json.is_array()) return ComponentError("added_tokens", "must be a list");
  std::vector<AddedToken> raw, normalized;
  for (const nlohmann::json& entry : json) {
    if (!entry.is_object() || !entry.contains("id") || !entry["id"].is_number_integer()) {
      return ComponentError("added_tokens", "an entry has no integer id");
    }
    M3_ASSIGN_OR_RETURN(AddedToken token, ParseAddedToken(entry, entry["id"].get<int64_t>()));
    const absl::Status added = vocabulary_.Add(token.content, token.id);
    if (!added.ok()) return ComponentError("added_tokens", std::string(added.message()));
    special_.resize(vocabulary_.size());
    special_[token.id] = token.special;
    if (token.normalized) {
      token.content = normalizer_->Normalize(std::move(token.content));
      normalized.push_back(std::move(token));
    } else {
      raw.push_back(std::move(token));
    }
  }
  raw_tokens_ = std::make_unique<AddedTokenMatcher>(std::move(raw));
  normalized_tokens_ = std::make_unique<AddedTokenMatcher>(std::move(normalized));
  return absl::OkStatus();
}

// Tokenizer classes of Hugging Face that put BOS and EOS around a text by tokenizer_config.json,
// and whether a config that does not say so means BOS.
std::optional<bool> AddsBosByConfig(std::string_view tokenizer_class) {
  constexpr std::string_view kFast = "Fast";
  if (tokenizer_class.size() > kFast.size() &&
      tokenizer_class.substr(tokenizer_class.size() - kFast.size()) == kFast) {
    tokenizer_class.remove_suffix(kFast.size());
  }
  for (std::string_view name :
       {"LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer", "CohereTokenizer"}) {
    if (tokenizer_class == name) return true;
  }
  if (tokenizer_class == "GPTNeoXTokenizer") return false;
  return std::nullopt;
}

// A post_processor that adds tokens is the truth. Where it adds none (null, or ByteLevel alone),
// the config decides for the classes that go by it; for all others the tokenizer adds nothing,
// whatever add_bos_token says.
absl::Status JsonTokenizer::ReadPostProcessor(const nlohmann::json& json,
                                              const TokenizerConfig& config) {
  M3_ASSIGN_OR_RETURN(post_processor_, MakePostProcessor(json));
  for (const auto* side : {&post_processor_.prefix, &post_processor_.suffix}) {
    for (int32_t id : *side) {
      if (TokenText(id).empty()) {
        return ComponentError("post_processor",
                              absl::StrCat("id ", id, " is not in the vocabulary"));
      }
    }
  }
  const std::optional<bool> by_config = AddsBosByConfig(config.tokenizer_class);
  if (!post_processor_.prefix.empty() || !post_processor_.suffix.empty() || !by_config) {
    return absl::OkStatus();
  }
  const auto add = [&](const char* field, const std::string& token, std::vector<int32_t>* side) {
    const std::optional<int32_t> id = TokenId(token);
    if (id.has_value()) side->push_back(*id);
    return id.has_value() || token.empty()
               ? absl::OkStatus()
               : ComponentError(field, absl::StrCat("'", token, "' is not in the vocabulary"));
  };
  if (config.add_bos.value_or(*by_config)) {
    M3_RETURN_IF_ERROR(add("bos_token", config.bos_token, &post_processor_.prefix));
  }
  if (config.add_eos.value_or(false)) {
    M3_RETURN_IF_ERROR(add("eos_token", config.eos_token, &post_processor_.suffix));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Tokenizer>> JsonTokenizer::Make(const nlohmann::json& json,
                                                               const TokenizerConfig& config) {
  if (!json.is_object() || !json.contains("model") || !json["model"].is_object()) {
    return ComponentError("model", "missing, or not an object");
  }
  auto tokenizer = std::make_unique<JsonTokenizer>();
  M3_RETURN_IF_ERROR(ReadVocabulary(json["model"], &tokenizer->vocabulary_));
  M3_ASSIGN_OR_RETURN(tokenizer->normalizer_, MakeNormalizer(FieldOrNull(json, "normalizer")));
  M3_ASSIGN_OR_RETURN(tokenizer->pre_tokenizer_,
                      MakePreTokenizer(FieldOrNull(json, "pre_tokenizer")));
  M3_ASSIGN_OR_RETURN(tokenizer->model_, MakeModel(json["model"], tokenizer->vocabulary_));
  M3_ASSIGN_OR_RETURN(tokenizer->decoder_, MakeTokenDecoder(FieldOrNull(json, "decoder")));
  M3_RETURN_IF_ERROR(tokenizer->ReadAddedTokens(FieldOrNull(json, "added_tokens")));
  M3_RETURN_IF_ERROR(tokenizer->ReadPostProcessor(FieldOrNull(json, "post_processor"), config));
  return tokenizer;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizerJson(const std::filesystem::path& file) {
  M3_ASSIGN_OR_RETURN(const nlohmann::json json, ReadJsonFile(file));
  M3_ASSIGN_OR_RETURN(const TokenizerConfig config, ReadTokenizerConfig(file.parent_path()));
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = JsonTokenizer::Make(json, config);
  if (!tokenizer.ok()) {
    return absl::Status(tokenizer.status().code(),
                        absl::StrCat(file.string(), ": ", tokenizer.status().message()));
  }
  return tokenizer;
}

}  // namespace memory3
