// Runs kernels on the host, for tests of indices and synchronisation, not of speed.
//
// Blocks run one after the other, in a random order. The threads of a block are fibers: each runs
// until it reaches a barrier, warps and lanes in a random order that changes at every barrier, so
// that a missing barrier shows as a wrong result. What aborts with a message: threads of a block
// that wait at different barriers, a kernel that may overlap and does not wait, a warp function
// that not all lanes of the warp reach, and use of shared memory beyond what the launch asked for
// (under the address sanitizer). Shared memory is filled with NaN before every block.
#ifndef MEMORY3_ENGINE_CUDA_HOST_EXECUTOR_H_
#define MEMORY3_ENGINE_CUDA_HOST_EXECUTOR_H_

#include <cstdint>
#include <functional>

#include "absl/functional/function_ref.h"
#include "engine/cuda/platform/runtime.h"

namespace memory3::cuda::host {

struct Index3 {
  uint32_t x = 0;
  uint32_t y = 0;
  uint32_t z = 0;
};

struct Shape {
  Index3 grid;
  uint32_t threads = 1;
  int shared_bytes = 0;
  bool must_wait = false;  // every thread calls WaitForPreviousKernel
};

// Runs `thread` for every thread of every block of the grid.
void RunKernel(const Shape& shape, absl::FunctionRef<void()> thread);

// Appends to a stream, or to the graph being captured on it.
void Enqueue(Stream& stream, std::function<void()> operation);

// Counts a launch; OverlappingLaunches: those of this thread so far that would begin in the shadow
// of the kernel before them on a device that can do so.
void NoteLaunch(Stream& stream, bool overlaps);
int64_t OverlappingLaunches();
inline constexpr int64_t kNotCounted = -1;  // by programs for a device

// Eager: work runs when it is enqueued. Lazy: only when somebody waits for it, as late as the
// events allow. Both orders are legal on a device; a runner that is right gives the same result
// under both.
enum class StreamOrder : uint8_t { kEager, kLazy };
void SetStreamOrder(StreamOrder order);

// Buffers that this thread has allocated so far.
int64_t BufferAllocations();

// Of the thread that runs now. Valid inside RunKernel.
struct ThreadContext {
  Index3 thread;
  Index3 block;
  Index3 block_size;
  Index3 grid;
  unsigned char* shared = nullptr;
};
const ThreadContext& Context();

void BlockBarrier();
// Kernels never overlap here; that a kernel which may overlap does wait is checked.
void NoteWait();
// Gives all lanes of the warp what each lane brought: `all` receives one entry of `bytes` (at most
// kMaxExchange) per lane. Returns the number of lanes: 32, fewer in a block's last warp. A barrier
// for the warp.
inline constexpr int kMaxExchange = 64;
int ExchangeInWarp(const void* mine, int bytes, void* all);

}  // namespace memory3::cuda::host

#endif  // MEMORY3_ENGINE_CUDA_HOST_EXECUTOR_H_
