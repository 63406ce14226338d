// The asynchronous copies of one thread of the executor (cp.async): they take place when they are
// waited for.
#ifndef MEMORY3_ENGINE_CUDA_HOST_THREAD_COPIES_H_
#define MEMORY3_ENGINE_CUDA_HOST_THREAD_COPIES_H_

#include <deque>
#include <vector>

namespace memory3::cuda::host {

struct Copy16 {
  void* to;
  const void* from;  // null: zeros
};

struct ThreadCopies {
  std::vector<Copy16> open;                // not yet in a group
  std::deque<std::vector<Copy16>> groups;  // oldest first
};

// Of the thread that runs now.
ThreadCopies& RunningCopies();

}  // namespace memory3::cuda::host

#endif  // MEMORY3_ENGINE_CUDA_HOST_THREAD_COPIES_H_
