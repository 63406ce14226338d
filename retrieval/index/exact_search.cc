#include "retrieval/index/exact_search.h"

#include <algorithm>
#include <utility>

#include "engine/base/check.h"
#include "retrieval/index/inner_product.h"

namespace memory3 {

void BestIds::Add(const ScoredId& scored) {
  if (heap_.size() == k_) {
    if (!Better(scored, heap_.front())) return;
    std::pop_heap(heap_.begin(), heap_.end(), Better);
    heap_.back() = scored;
  } else {
    heap_.push_back(scored);
  }
  std::push_heap(heap_.begin(), heap_.end(), Better);
}

std::vector<ScoredId> BestIds::Take() {
  std::sort(heap_.begin(), heap_.end(), Better);
  return std::move(heap_);
}

std::vector<ScoredId> SearchEvery(const VectorTable& vectors, absl::Span<const float> query,
                                  int k) {
  M3_CHECK(k > 0 && query.size() == static_cast<size_t>(vectors.dimensions));
  const InnerProductFn inner_product = BestInnerProduct();
  BestIds best(k);
  for (int64_t i = 0; i < vectors.count; ++i) {
    best.Add({static_cast<MemoryId>(i),
              inner_product(query.data(), vectors.row(i), vectors.dimensions)});
  }
  return best.Take();
}

}  // namespace memory3
