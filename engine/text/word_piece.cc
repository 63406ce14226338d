// WordPiece: the longest token that starts the rest of the word, again and again.
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/text/component.h"
#include "engine/text/token_model.h"
#include "engine/text/utf8.h"

namespace memory3 {
namespace {

constexpr char kPart[] = "model WordPiece";
constexpr int kDefaultMaxCharacters = 100;

class WordPiece : public TokenModel {
 public:
  WordPiece(const Vocabulary& vocabulary, int32_t unk, std::string prefix, int max_characters)
      : vocabulary_(vocabulary),
        unk_(unk),
        prefix_(std::move(prefix)),
        max_characters_(max_characters) {}

  void Tokenize(std::string_view piece, std::vector<int32_t>* ids) const override {
    const size_t before = ids->size();
    std::vector<size_t> borders = {0};
    ForEachCharacter(piece, [&](char32_t, std::string_view bytes) {
      borders.push_back(borders.back() + bytes.size());
    });
    const size_t characters = borders.size() - 1;
    if (characters > static_cast<size_t>(max_characters_)) return ids->push_back(unk_);

    std::string candidate;
    for (size_t begin = 0; begin < characters;) {
      size_t end = characters;
      std::optional<int32_t> id;
      for (; end > begin; --end) {
        candidate = begin == 0 ? "" : prefix_;
        candidate += piece.substr(borders[begin], borders[end] - borders[begin]);
        if ((id = vocabulary_.Find(candidate)).has_value()) break;
      }
      if (!id.has_value()) {  // a word with one unknown part is unknown as a whole
        ids->resize(before);
        return ids->push_back(unk_);
      }
      ids->push_back(*id);
      begin = end;
    }
  }

 private:
  const Vocabulary& vocabulary_;
  const int32_t unk_;
  const std::string prefix_;
  const int max_characters_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<TokenModel>> MakeWordPiece(const nlohmann::json& json,
                                                          const Vocabulary& vocabulary) {
  M3_ASSIGN_OR_RETURN(const std::string unk, StringField(json, "unk_token", "[UNK]", kPart));
  const std::optional<int32_t> unk_id = vocabulary.Find(unk);
  if (!unk_id.has_value()) {
    return ComponentError(kPart, absl::StrCat("unk_token '", unk, "' is not in the vocabulary"));
  }
  M3_ASSIGN_OR_RETURN(std::string prefix,
                      StringField(json, "continuing_subword_prefix", "##", kPart));
  int max_characters = kDefaultMaxCharacters;
  if (json.contains("max_input_chars_per_word")) {
    const nlohmann::json& value = json["max_input_chars_per_word"];
    if (!value.is_number_unsigned() || value.get<uint64_t>() > 1'000'000) {
      return ComponentError(kPart, "max_input_chars_per_word must be a count up to 1000000");
    }
    max_characters = value.get<int>();
  }
  return std::make_unique<WordPiece>(vocabulary, *unk_id, std::move(prefix), max_characters);
}

}  // namespace memory3
