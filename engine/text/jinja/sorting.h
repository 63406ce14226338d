// Stable sorting by Python's order, where comparing two items can fail.
#ifndef MEMORY3_ENGINE_TEXT_JINJA_SORTING_H_
#define MEMORY3_ENGINE_TEXT_JINJA_SORTING_H_

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "engine/text/jinja/operators.h"

namespace memory3::jinja {

// Sorts by `key_of(item)`, a Value. On the first failed comparison the order is left undefined and
// the error returned. Merge sort of our own: the standard algorithms need a comparison that is
// consistent to the end.
template <typename Item, typename KeyOf>
absl::Status SortBy(Runtime& runtime, std::vector<Item>& items, bool reverse, KeyOf key_of) {
  std::vector<std::pair<Value, Item>> from;
  for (Item& item : items) {
    Value key = key_of(item);
    from.emplace_back(std::move(key), std::move(item));
  }
  std::vector<std::pair<Value, Item>> to(from.size());
  for (size_t width = 1; width < from.size(); width *= 2) {
    for (size_t begin = 0; begin < from.size(); begin += 2 * width) {
      const size_t middle = std::min(begin + width, from.size());
      const size_t end = std::min(begin + 2 * width, from.size());
      size_t left = begin;
      size_t right = middle;
      for (size_t out = begin; out < end; ++out) {
        bool take_right = left == middle;
        if (!take_right && right < end) {
          const absl::StatusOr<int> order = Compare(runtime, from[right].first, from[left].first);
          if (!order.ok()) return order.status();
          take_right = reverse ? *order > 0 : *order < 0;
        }
        to[out] = std::move(from[take_right ? right++ : left++]);
      }
    }
    std::swap(from, to);
  }
  for (size_t i = 0; i < items.size(); ++i) items[i] = std::move(from[i].second);
  return absl::OkStatus();
}

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_SORTING_H_
