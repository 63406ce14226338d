// sentencepiece `.model` files, through the library that trains them.
#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/text/added_tokens.h"
#include "engine/text/sentencepiece_model.h"
#include "engine/text/tokenizer.h"
#include "engine/text/tokenizer_files.h"
#include "engine/text/utf8.h"
#include "engine/text/vocabulary.h"

namespace memory3 {
namespace {

constexpr char kSpaceMark[] = "\xE2\x96\x81";  // U+2581

class SentencePieceTokenizer : public Tokenizer {
 public:
  // `added`: tokens the model does not have; those it has are left to it.
  static absl::StatusOr<std::unique_ptr<SentencePieceTokenizer>> Make(
      std::unique_ptr<SentencePieceModel> model, const std::vector<AddedToken>& added) {
    auto tokenizer = std::make_unique<SentencePieceTokenizer>();
    std::vector<AddedToken> matched;
    for (int32_t id = 0; id < model->size(); ++id) {
      if (!model->IsControl(id)) continue;
      matched.push_back({.id = id, .content = std::string(model->IdToPiece(id)), .special = true});
    }
    for (const AddedToken& token : added) {
      if (token.id < model->size()) continue;
      M3_RETURN_IF_ERROR(tokenizer->added_vocabulary_.Add(token.content, token.id));
      tokenizer->added_special_.resize(tokenizer->added_vocabulary_.size());
      tokenizer->added_special_[token.id] = token.special;
      matched.push_back(token);
    }
    tokenizer->matcher_ = std::make_unique<AddedTokenMatcher>(std::move(matched));
    // Whether the model puts a space in front of every text: its normalizer's settings are not
    // public, their effect is.
    const std::vector<int32_t> probe = model->Encode("a");
    tokenizer->strips_space_ =
        !probe.empty() && model->IdToPiece(probe[0]).rfind(kSpaceMark, 0) == 0;
    tokenizer->model_ = std::move(model);
    return tokenizer;
  }

  // Which tokens go around a text when special tokens are asked for. Without a word on it in the
  // config: BOS, when the model has one, as the Llama family expects.
  void SetEnds(const TokenizerConfig& config) {
    std::optional<int32_t> bos = TokenId(config.bos_token);
    if (!bos.has_value() && model_->bos_id() >= 0) bos = model_->bos_id();
    if (config.add_bos.value_or(true)) bos_ = bos;
    if (config.add_eos.value_or(false)) eos_ = TokenId(config.eos_token);
  }

  std::vector<int32_t> Encode(std::string_view text, const EncodeOptions& options) const override {
    const std::string clean = ReplaceInvalidUtf8(text);
    std::vector<int32_t> ids;
    if (options.add_special_tokens && bos_.has_value()) ids.push_back(*bos_);
    for (const AddedTokenSpan& span : matcher_->Split(clean, options.parse_special_tokens)) {
      if (span.token.has_value()) {
        ids.push_back(*span.token);
        continue;
      }
      const std::vector<int32_t> run =
          model_->Encode(std::string_view(clean).substr(span.begin, span.end - span.begin));
      ids.insert(ids.end(), run.begin(), run.end());
    }
    if (options.add_special_tokens && eos_.has_value()) ids.push_back(*eos_);
    return ids;
  }

  std::string Decode(absl::Span<const int32_t> ids, bool skip_special_tokens) const override {
    std::string text;
    std::vector<int32_t> run;
    const auto flush = [&] {
      text += model_->Decode(run);
      run.clear();
    };
    for (int32_t id : ids) {
      if (id < 0 || id >= vocab_size()) continue;
      if (!IsAdded(id) && !model_->IsControl(id)) {
        run.push_back(id);
      } else if (!skip_special_tokens || !IsSpecial(id)) {  // the library drops control tokens
        flush();
        text += TokenText(id);
      }
    }
    flush();
    return text;
  }

  std::string TokenBytes(int32_t id) const override {
    std::string piece(TokenText(id));
    if (piece.empty() || IsAdded(id) || model_->IsControl(id)) return piece;
    if (id == model_->unk_id()) return " \xE2\x81\x87 ";  // as the library decodes it
    int byte = 0;  // the library has checked that the piece reads <0xNN>
    if (model_->IsByte(id) && absl::SimpleHexAtoi(piece.substr(3, 2), &byte)) {
      return std::string(1, static_cast<char>(byte));
    }
    std::string bytes;
    ForEachCharacter(piece, [&](char32_t, std::string_view character) {
      bytes += character == kSpaceMark ? std::string_view(" ") : character;
    });
    return bytes;
  }

  int vocab_size() const override { return std::max(model_->size(), added_vocabulary_.size()); }

  std::optional<int32_t> TokenId(std::string_view token) const override {
    if (const std::optional<int32_t> added = added_vocabulary_.Find(token)) return added;
    const int id = model_->PieceToId(token);
    if (id == model_->unk_id() && token != model_->IdToPiece(id)) return std::nullopt;
    return id;
  }

  std::string_view TokenText(int32_t id) const override {
    if (IsAdded(id)) return added_vocabulary_.Text(id);
    return id >= 0 && id < vocab_size() ? model_->IdToPiece(id) : std::string_view();
  }
  bool IsSpecial(int32_t id) const override {
    if (id < 0 || id >= vocab_size()) return false;
    return IsAdded(id) ? added_special_[id] : model_->IsControl(id);
  }
  bool StripsLeadingSpace() const override { return strips_space_; }

 private:
  bool IsAdded(int32_t id) const { return id >= model_->size() && id < added_vocabulary_.size(); }

  std::unique_ptr<SentencePieceModel> model_;
  Vocabulary added_vocabulary_;      // ids from the model's size on
  std::vector<bool> added_special_;  // by id
  std::unique_ptr<AddedTokenMatcher> matcher_;
  std::optional<int32_t> bos_;
  std::optional<int32_t> eos_;
  bool strips_space_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadSentencePiece(const std::filesystem::path& file) {
  M3_ASSIGN_OR_RETURN(const std::string bytes, ReadTokenizerFile(file));
  std::string error;
  std::unique_ptr<SentencePieceModel> model = SentencePieceModel::Load(bytes, &error);
  if (model == nullptr) return absl::InvalidArgumentError(absl::StrCat(file.string(), ": ", error));
  // Beside the model, as published folders have them.
  M3_ASSIGN_OR_RETURN(const TokenizerConfig config, ReadTokenizerConfig(file.parent_path()));
  auto tokenizer = SentencePieceTokenizer::Make(std::move(model), config.added_tokens);
  if (!tokenizer.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.string(), ": added_tokens: ", tokenizer.status().message()));
  }
  (*tokenizer)->SetEnds(config);
  return *std::move(tokenizer);
}

}  // namespace memory3
