// Byte-pair encoding: characters first, then the pair with the lowest rank is merged, again and
// again.
#include <algorithm>
#include <optional>
#include <queue>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/status_macros.h"
#include "engine/text/component.h"
#include "engine/text/token_model.h"
#include "engine/text/utf8.h"

namespace memory3 {
namespace {

constexpr char kPart[] = "model BPE";

struct Merge {
  int32_t rank;
  int32_t id;  // of the merged token
};
using MergeTable = absl::flat_hash_map<std::pair<int32_t, int32_t>, Merge>;

struct BpeOptions {
  std::optional<int32_t> unk;
  std::string continuing_prefix;  // before every character of a piece but the first
  std::string word_suffix;        // behind the last
  bool fuse_unk = false;          // neighbouring unknown characters are one unknown token
  bool byte_fallback = false;     // unknown characters become <0xNN> tokens
  bool ignore_merges = false;     // a piece that is a token is that token
};

// A token of the piece so far, in a list linked by index. A symbol that was merged into its left
// neighbour has length 0.
struct Symbol {
  int32_t id;
  int previous;
  int next;
  bool merged_away;
};

// A merge that may be possible, best first: lowest rank, then leftmost.
struct Candidate {
  int32_t rank;
  int left;
  int32_t id;
  bool operator<(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : left > other.left;
  }
};

class Merger {
 public:
  Merger(const MergeTable& merges, const std::vector<int32_t>& ids) : merges_(merges) {
    const int count = static_cast<int>(ids.size());
    symbols_.reserve(count);
    for (int i = 0; i < count; ++i)
      symbols_.push_back({ids[i], i - 1, i + 1 < count ? i + 1 : -1, false});
    for (int i = 0; i + 1 < count; ++i) Consider(i);
  }

  void Run(std::vector<int32_t>* ids) {
    while (!queue_.empty()) {
      const Candidate best = queue_.top();
      queue_.pop();
      Apply(best);
    }
    if (symbols_.empty()) return;
    for (int i = 0; i >= 0; i = symbols_[i].next) ids->push_back(symbols_[i].id);
  }

 private:
  const Merge* Find(int left) const {
    const auto found = merges_.find({symbols_[left].id, symbols_[symbols_[left].next].id});
    return found == merges_.end() ? nullptr : &found->second;
  }

  void Consider(int left) {
    if (left < 0 || symbols_[left].next < 0) return;
    if (const Merge* merge = Find(left)) queue_.push({merge->rank, left, merge->id});
  }

  void Apply(const Candidate& candidate) {
    Symbol& left = symbols_[candidate.left];
    if (left.merged_away || left.next < 0) return;
    // The neighbourhood may have changed since the candidate was queued.
    const Merge* merge = Find(candidate.left);
    if (merge == nullptr || merge->id != candidate.id) return;
    Symbol& right = symbols_[left.next];
    right.merged_away = true;
    left.id = candidate.id;
    left.next = right.next;
    if (right.next >= 0) symbols_[right.next].previous = candidate.left;
    Consider(left.previous);
    Consider(candidate.left);
  }

  const MergeTable& merges_;
  std::vector<Symbol> symbols_;
  std::priority_queue<Candidate> queue_;
};

class Bpe : public TokenModel {
 public:
  Bpe(const Vocabulary& vocabulary, MergeTable merges, BpeOptions options)
      : vocabulary_(vocabulary), merges_(std::move(merges)), options_(std::move(options)) {
    for (int byte = 0; byte < 256; ++byte) {
      byte_tokens_[byte] = vocabulary.Find(absl::StrFormat("<0x%02X>", byte));
    }
  }

  void Tokenize(std::string_view piece, std::vector<int32_t>* ids) const override {
    if (options_.ignore_merges) {
      if (const std::optional<int32_t> whole = vocabulary_.Find(piece)) {
        ids->push_back(*whole);
        return;
      }
    }
    Merger(merges_, Characters(piece)).Run(ids);
  }

 private:
  // Ids of the piece's single characters, with unknown ones as bytes or as the unknown token.
  std::vector<int32_t> Characters(std::string_view piece) const {
    std::vector<int32_t> ids;
    bool unknown_pending = false;
    const auto flush_unknown = [&] {
      if (unknown_pending) ids.push_back(*options_.unk);
      unknown_pending = false;
    };
    std::string symbol;
    size_t position = 0;
    ForEachCharacter(piece, [&](char32_t, std::string_view bytes) {
      symbol = position == 0 ? "" : options_.continuing_prefix;
      symbol += bytes;
      position += bytes.size();
      if (position == piece.size()) symbol += options_.word_suffix;
      if (const std::optional<int32_t> id = vocabulary_.Find(symbol)) {
        flush_unknown();
        ids.push_back(*id);
      } else if (!options_.byte_fallback || !AppendBytes(symbol, &ids)) {
        if (!options_.fuse_unk) flush_unknown();
        unknown_pending = options_.unk.has_value();
      }
    });
    flush_unknown();
    return ids;
  }

  bool AppendBytes(const std::string& symbol, std::vector<int32_t>* ids) const {
    const auto has_token = [&](char byte) {
      return byte_tokens_[static_cast<uint8_t>(byte)].has_value();
    };
    if (!std::all_of(symbol.begin(), symbol.end(), has_token)) return false;
    for (char byte : symbol) ids->push_back(*byte_tokens_[static_cast<uint8_t>(byte)]);
    return true;
  }

  const Vocabulary& vocabulary_;
  const MergeTable merges_;
  const BpeOptions options_;
  std::optional<int32_t> byte_tokens_[256];
};

// A merge is "left right" or ["left", "right"].
absl::StatusOr<std::pair<std::string, std::string>> ParseMerge(const nlohmann::json& json) {
  if (json.is_array() && json.size() == 2 && json[0].is_string() && json[1].is_string()) {
    return std::pair(json[0].get<std::string>(), json[1].get<std::string>());
  }
  if (json.is_string()) {
    const std::string text = json.get<std::string>();
    const size_t space = text.find(' ');
    if (space != std::string::npos && text.find(' ', space + 1) == std::string::npos) {
      return std::pair(text.substr(0, space), text.substr(space + 1));
    }
  }
  return ComponentError(
      kPart,
      absl::StrCat("merge ", json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
                   " is not a pair of tokens"));
}

absl::StatusOr<MergeTable> ParseMerges(const nlohmann::json& json, const Vocabulary& vocabulary,
                                       const std::string& continuing_prefix) {
  if (!json.contains("merges") || !json["merges"].is_array())
    return ComponentError(kPart, "merges must be a list");
  const nlohmann::json& list = json["merges"];
  if (list.size() > static_cast<size_t>(Vocabulary::kMaxTokens))
    return ComponentError(kPart, "too many merges");
  MergeTable merges;
  merges.reserve(list.size());
  for (size_t rank = 0; rank < list.size(); ++rank) {
    M3_ASSIGN_OR_RETURN(const auto pair, ParseMerge(list[rank]));
    // The prefix of a continuing token disappears where it is joined to the token before it.
    const size_t skip = pair.second.rfind(continuing_prefix, 0) == 0 ? continuing_prefix.size() : 0;
    const std::string merged = pair.first + pair.second.substr(skip);
    std::optional<int32_t> ids[3];
    const std::string* const tokens[3] = {&pair.first, &pair.second, &merged};
    for (int i = 0; i < 3; ++i) {
      ids[i] = vocabulary.Find(*tokens[i]);
      if (!ids[i].has_value()) {
        return ComponentError(kPart, absl::StrCat("merge ", rank, ": token '", *tokens[i],
                                                  "' is not in the vocabulary"));
      }
    }
    merges.insert_or_assign({*ids[0], *ids[1]}, Merge{static_cast<int32_t>(rank), *ids[2]});
  }
  return merges;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TokenModel>> MakeBpe(const nlohmann::json& json,
                                                    const Vocabulary& vocabulary) {
  BpeOptions options;
  M3_ASSIGN_OR_RETURN(options.continuing_prefix,
                      StringField(json, "continuing_subword_prefix", "", kPart));
  M3_ASSIGN_OR_RETURN(options.word_suffix, StringField(json, "end_of_word_suffix", "", kPart));
  M3_ASSIGN_OR_RETURN(options.fuse_unk, BoolField(json, "fuse_unk", false, kPart));
  M3_ASSIGN_OR_RETURN(options.byte_fallback, BoolField(json, "byte_fallback", false, kPart));
  M3_ASSIGN_OR_RETURN(options.ignore_merges, BoolField(json, "ignore_merges", false, kPart));
  M3_ASSIGN_OR_RETURN(const std::string unk, StringField(json, "unk_token", "", kPart));
  if (!unk.empty()) {
    options.unk = vocabulary.Find(unk);
    if (!options.unk.has_value()) {
      return ComponentError(kPart, absl::StrCat("unk_token '", unk, "' is not in the vocabulary"));
    }
  }
  const auto dropout = json.find("dropout");
  if (dropout != json.end() && !dropout->is_null() && *dropout != 0) {
    return ComponentError(kPart, "dropout is not supported");
  }
  M3_ASSIGN_OR_RETURN(MergeTable merges, ParseMerges(json, vocabulary, options.continuing_prefix));
  return std::make_unique<Bpe>(vocabulary, std::move(merges), std::move(options));
}

}  // namespace memory3
