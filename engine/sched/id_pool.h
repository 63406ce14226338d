// Hands out the numbers [0, size): KV cache blocks and runner slots. Everything is allocated at
// construction; giving back what is not out is a programmer error and is checked, since two
// sequences writing to one block would corrupt both answers silently. Not thread-safe (the engine
// thread's).
#ifndef MEMORY3_ENGINE_SCHED_ID_POOL_H_
#define MEMORY3_ENGINE_SCHED_ID_POOL_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace memory3 {

class IdPool {
 public:
  explicit IdPool(int size);

  int size() const { return static_cast<int>(taken_.size()); }
  int available() const { return static_cast<int>(free_.size()); }
  int used() const { return size() - available(); }

  // Appends `count` ids to *ids; false, and nothing is taken, when fewer are available.
  [[nodiscard]] bool Take(int count, std::vector<int32_t>* ids);
  void GiveBack(absl::Span<const int32_t> ids);

 private:
  std::vector<int32_t> free_;  // taken from the back, so that warm blocks are used again first
  std::vector<bool> taken_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_SCHED_ID_POOL_H_
