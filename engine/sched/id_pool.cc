#include "engine/sched/id_pool.h"

#include "engine/base/check.h"

namespace memory3 {

IdPool::IdPool(int size) : taken_(size, false) {
  free_.reserve(size);
  for (int id = size - 1; id >= 0; --id) free_.push_back(id);
}

bool IdPool::Take(int count, std::vector<int32_t>* ids) {
  M3_CHECK(count >= 0);
  if (count > available()) return false;
  for (int i = 0; i < count; ++i) {
    const int32_t id = free_.back();
    free_.pop_back();
    taken_[id] = true;
    ids->push_back(id);
  }
  return true;
}

void IdPool::GiveBack(absl::Span<const int32_t> ids) {
  for (const int32_t id : ids) {
    M3_CHECK(id >= 0 && id < size() && taken_[id]);
    taken_[id] = false;
    free_.push_back(id);
  }
}

}  // namespace memory3
