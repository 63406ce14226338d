#include "retrieval/service/snapshot.h"

#include <algorithm>

#include "engine/base/status_macros.h"
#include "retrieval/index/exact_search.h"
#include "retrieval/index/inner_product.h"

namespace memory3 {
namespace {

// First guess at how many more than k must be asked for when some are deleted.
constexpr int64_t kSpare = 16;

// The k nearest of the bank. Asks for more and more of them until enough are not deleted.
absl::StatusOr<std::vector<ScoredId>> SearchBank(const Snapshot& snapshot,
                                                 absl::Span<const float> query, int k) {
  const auto is_deleted = [&](const ScoredId& scored) {
    return snapshot.deleted.contains(scored.id);
  };
  const int64_t all = snapshot.index->count();
  int64_t ask = snapshot.deleted.empty() ? k : k + kSpare;
  while (true) {
    M3_ASSIGN_OR_RETURN(std::vector<ScoredId> found,
                        snapshot.index->Search(query, static_cast<int>(std::min(ask, all))));
    const bool exhausted = ask >= all || std::ssize(found) < ask;
    found.erase(std::remove_if(found.begin(), found.end(), is_deleted), found.end());
    if (std::ssize(found) >= k || exhausted) return found;
    ask *= 4;
  }
}

}  // namespace

absl::StatusOr<std::vector<ScoredId>> Snapshot::Search(absl::Span<const float> query, int k) const {
  if (std::all_of(query.begin(), query.end(), [](float x) { return x == 0; })) {
    return std::vector<ScoredId>();
  }
  BestIds best(k);
  if (index->count() > 0) {
    M3_ASSIGN_OR_RETURN(const std::vector<ScoredId> found, SearchBank(*this, query, k));
    for (const ScoredId& scored : found) best.Add(scored);
  }
  const InnerProductFn inner_product = BestInnerProduct();
  for (const std::shared_ptr<const TaughtReference>& reference : taught) {
    best.Add({reference->id, inner_product(query.data(), reference->vector.data(),
                                           static_cast<int>(query.size()))});
  }
  return best.Take();
}

}  // namespace memory3
