// sentencepiece `.model` files, through the library that trains them.
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/text/added_tokens.h"
#include "engine/text/sentencepiece_model.h"
#include "engine/text/tokenizer.h"
#include "engine/text/tokenizer_files.h"
#include "engine/text/utf8.h"

namespace memory3 {
namespace {

constexpr char kSpaceMark[] = "\xE2\x96\x81";  // U+2581

class SentencePieceTokenizer : public Tokenizer {
 public:
  explicit SentencePieceTokenizer(std::unique_ptr<SentencePieceModel> model)
      : model_(std::move(model)) {
    std::vector<AddedToken> control;
    for (int32_t id = 0; id < model_->size(); ++id) {
      if (!model_->IsControl(id)) continue;
      control.push_back({.id = id, .content = std::string(model_->IdToPiece(id)), .special = true});
    }
    control_ = std::make_unique<AddedTokenMatcher>(std::move(control));
    // Whether the model puts a space in front of every text: its normalizer's settings are not
    // public, their effect is.
    const std::vector<int32_t> probe = model_->Encode("a");
    strips_space_ = !probe.empty() && model_->IdToPiece(probe[0]).rfind(kSpaceMark, 0) == 0;
  }

  void AddBos(int32_t id) { bos_ = id; }
  int32_t OwnBos() const { return model_->bos_id(); }

  std::vector<int32_t> Encode(std::string_view text, const EncodeOptions& options) const override {
    const std::string clean = ReplaceInvalidUtf8(text);
    std::vector<int32_t> ids;
    if (options.add_special_tokens && bos_.has_value()) ids.push_back(*bos_);
    for (const AddedTokenSpan& span : control_->Split(clean, options.parse_special_tokens)) {
      if (span.token.has_value()) {
        ids.push_back(*span.token);
        continue;
      }
      const std::vector<int32_t> run =
          model_->Encode(std::string_view(clean).substr(span.begin, span.end - span.begin));
      ids.insert(ids.end(), run.begin(), run.end());
    }
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
      if (!model_->IsControl(id)) {
        run.push_back(id);
      } else if (!skip_special_tokens) {  // the library drops control tokens
        flush();
        text += model_->IdToPiece(id);
      }
    }
    flush();
    return text;
  }

  std::string TokenBytes(int32_t id) const override {
    const std::string piece(TokenText(id));
    if (piece.empty() || model_->IsControl(id)) return piece;
    if (id == model_->unk_id()) return " \xE2\x81\x87 ";  // as the library decodes it
    if (model_->IsByte(id))
      return std::string(1, static_cast<char>(std::stoi(piece.substr(3, 2), nullptr, 16)));
    std::string bytes;
    ForEachCharacter(piece, [&](char32_t, std::string_view character) {
      bytes += character == kSpaceMark ? std::string_view(" ") : character;
    });
    return bytes;
  }

  int vocab_size() const override { return model_->size(); }

  std::optional<int32_t> TokenId(std::string_view token) const override {
    const int id = model_->PieceToId(token);
    if (id == model_->unk_id() && token != model_->IdToPiece(id)) return std::nullopt;
    return id;
  }

  std::string_view TokenText(int32_t id) const override {
    return id >= 0 && id < vocab_size() ? model_->IdToPiece(id) : std::string_view();
  }
  bool IsSpecial(int32_t id) const override {
    return id >= 0 && id < vocab_size() && model_->IsControl(id);
  }
  bool StripsLeadingSpace() const override { return strips_space_; }

 private:
  std::unique_ptr<SentencePieceModel> model_;
  std::unique_ptr<AddedTokenMatcher> control_;
  std::optional<int32_t> bos_;
  bool strips_space_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadSentencePiece(const std::filesystem::path& file) {
  M3_ASSIGN_OR_RETURN(const std::string bytes, ReadTokenizerFile(file));
  std::string error;
  std::unique_ptr<SentencePieceModel> model = SentencePieceModel::Load(bytes, &error);
  if (model == nullptr) return absl::InvalidArgumentError(absl::StrCat(file.string(), ": ", error));
  auto tokenizer = std::make_unique<SentencePieceTokenizer>(std::move(model));
  // The model itself does not say whether a text gets a BOS; tokenizer_config.json beside it does.
  // Without one: yes, when the model has one, as the Llama family expects.
  M3_ASSIGN_OR_RETURN(const BosConfig config, ReadBosConfig(file.parent_path()));
  const bool has_config = std::filesystem::exists(file.parent_path() / "tokenizer_config.json");
  const std::optional<int32_t> named = tokenizer->TokenId(config.bos_token);
  if (has_config && config.add_bos && named.has_value()) tokenizer->AddBos(*named);
  if (!has_config && tokenizer->OwnBos() >= 0) tokenizer->AddBos(tokenizer->OwnBos());
  return tokenizer;
}

}  // namespace memory3
