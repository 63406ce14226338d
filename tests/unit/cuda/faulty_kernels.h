// Kernels with one fault each, which a device would punish or not notice, and their sound
// relatives.
#ifndef MEMORY3_TESTS_UNIT_CUDA_FAULTY_KERNELS_H_
#define MEMORY3_TESTS_UNIT_CUDA_FAULTY_KERNELS_H_

#include <cstdint>

#include "engine/cuda/platform/runtime.h"

namespace memory3::cuda {

inline constexpr int kFaultyThreads = 64;

// Of kFaultyThreads threads each; `in` and `out` have an element for every thread.
enum class Fault : uint8_t {
  kNone,               // out = in, the other way round, through shared memory
  kNoBarrier,          // the same without a barrier
  kNobodyWrote,        // without a write
  kBeyondShared,       // beyond the launch's shared memory
  kBeyondGlobal,       // beyond `in`
  kNotAligned,         // eight bytes from an address of four
  kCopyNotAwaited,     // what an asynchronous copy brings is read at once
  kHalfAWarpShuffles,  // the other half has gone home
  kLanesWaitApart,     // halves of a warp wait in different places
};
void LaunchFaulty(Stream& stream, Fault fault, const int32_t* in, int32_t* out);

// out[0] = value; lets the next kernel start at once, waits for the one before.
void LaunchStore(Stream& stream, int32_t value, int32_t* out);
// out[0] = in[0]; overlaps with the kernel before it.
enum class Reader : uint8_t { kWaits, kReadsBeforeItWaits, kNeverWaits };
void LaunchReader(Stream& stream, Reader reader, const int32_t* in, int32_t* out);

// What instructions with rules of their own make of (a, b, c); the fields of kFaultyThreads
// threads.
struct SpecialResults {
  uint32_t fma_down;       // of floats, rounded down
  uint32_t insert_bits;    // of a into b at c % 32, as many as a % 33
  uint32_t permute_bytes;  // of a and b, picked by c
};
void LaunchSpecial(Stream& stream, const uint32_t* a, const uint32_t* b, const uint32_t* c,
                   SpecialResults* out);

}  // namespace memory3::cuda

#endif  // MEMORY3_TESTS_UNIT_CUDA_FAULTY_KERNELS_H_
