#include "engine/memory/bank/text_lookup.h"

#include <xxhash.h>

#include <algorithm>

#include "engine/base/status_macros.h"

namespace memory3 {
namespace {

uint64_t Hash(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

}  // namespace

absl::StatusOr<TextLookup> TextLookup::Create(const TextsFile& texts) {
  TextLookup lookup(texts);
  lookup.ids_.reserve(texts.count());
  for (int64_t id = 0; id < texts.count(); ++id) {
    M3_ASSIGN_OR_RETURN(const ReferenceText reference, texts.Read(id));
    lookup.ids_.emplace_back(Hash(reference.text), id);
  }
  std::sort(lookup.ids_.begin(), lookup.ids_.end());
  return lookup;
}

absl::StatusOr<std::optional<int64_t>> TextLookup::Find(std::string_view text) const {
  const uint64_t hash = Hash(text);
  for (auto found = std::lower_bound(ids_.begin(), ids_.end(), std::pair(hash, int64_t{0}));
       found != ids_.end() && found->first == hash; ++found) {
    M3_ASSIGN_OR_RETURN(const ReferenceText reference, texts_->Read(found->second));
    if (reference.text == text) return found->second;
  }
  return std::nullopt;
}

}  // namespace memory3
