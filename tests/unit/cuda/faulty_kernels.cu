#include "engine/cuda/platform/kernel.h"
#include "engine/cuda/platform/launch.h"
#include "engine/cuda/platform/tensor_core.h"
#include "tests/unit/cuda/faulty_kernels.h"

namespace memory3::cuda {
namespace {

constexpr int kSharedBytes = kFaultyThreads * 16;

M3_DEVICE int32_t Thread() { return static_cast<int32_t>(threadIdx.x); }

template <Fault kFault>
M3_KERNEL void FaultyKernel(const int32_t* in, int32_t* out) {
  auto* shared = SharedMemory<int32_t>();
  const int32_t i = Thread();
  const int32_t mirrored = kFaultyThreads - 1 - i;
  if constexpr (kFault == Fault::kNone || kFault == Fault::kNoBarrier) {
    shared[i] = in[i];
    if constexpr (kFault == Fault::kNone) __syncthreads();
    out[i] = shared[mirrored];
  } else if constexpr (kFault == Fault::kNobodyWrote) {
    out[i] = shared[i];
  } else if constexpr (kFault == Fault::kBeyondShared) {
    shared[kSharedBytes / 4 + i] = in[i];
  } else if constexpr (kFault == Fault::kBeyondGlobal) {
    out[i] = in[i + 1];
  } else if constexpr (kFault == Fault::kNotAligned) {
    out[i] = static_cast<int32_t>(*reinterpret_cast<const int64_t*>(in + 1));
  } else if constexpr (kFault == Fault::kCopyNotAwaited) {
    CopyAsync16(shared + 4 * i, in + i / 4 * 4);
    CommitCopies();
    out[i] = shared[4 * i];
  } else if constexpr (kFault == Fault::kHalfAWarpShuffles) {
    if (i % kWarpSize >= kWarpSize / 2) return;
    out[i] = __shfl_xor_sync(kFullWarp, in[i], 1);
  } else if constexpr (kFault == Fault::kLanesWaitApart) {
    if (i % kWarpSize < kWarpSize / 2) {
      asm volatile("bar.sync 0;\n" ::: "memory");
      out[i] = 1;
    } else {
      asm volatile("bar.sync 0;\n" ::: "memory");
      out[i] = 2;
    }
  }
}

M3_KERNEL void StoreKernel(int32_t value, int32_t* out) {
  LetNextKernelStart();
  WaitForPreviousKernel();
  if (Thread() == 0) out[0] = value;
}

template <Reader kReader>
M3_KERNEL void ReaderKernel(const int32_t* in, int32_t* out) {
  LetNextKernelStart();
  if constexpr (kReader == Reader::kWaits) WaitForPreviousKernel();
  const int32_t value = *static_cast<const volatile int32_t*>(in);
  if constexpr (kReader == Reader::kReadsBeforeItWaits) WaitForPreviousKernel();
  if (Thread() == 0) out[0] = value;
}

M3_KERNEL void SpecialKernel(const uint32_t* a, const uint32_t* b, const uint32_t* c,
                             SpecialResults* out) {
  const int32_t i = Thread();
  SpecialResults results;
  results.fma_down = __float_as_uint(
      __fmaf_rd(__uint_as_float(a[i]), __uint_as_float(b[i]), __uint_as_float(c[i])));
  asm("bfi.b32 %0, %1, %2, %3, %4;\n"
      : "=r"(results.insert_bits)
      : "r"(a[i]), "r"(b[i]), "r"(c[i] % 32), "r"(a[i] % 33));
  results.permute_bytes = __byte_perm(a[i], b[i], c[i] & 0x7777);
  out[i] = results;
}

}  // namespace

void LaunchFaulty(Stream& stream, Fault fault, const int32_t* in, int32_t* out) {
  const LaunchShape shape = {.threads = kFaultyThreads, .shared_bytes = kSharedBytes};
  const auto launch = [&]<Fault... kFaults>() {
    ((fault == kFaults ? Launch(stream, shape, FaultyKernel<kFaults>, in, out) : void()), ...);
  };
  launch.template
  operator()<Fault::kNone, Fault::kNoBarrier, Fault::kNobodyWrote, Fault::kBeyondShared,
             Fault::kBeyondGlobal, Fault::kNotAligned, Fault::kCopyNotAwaited,
             Fault::kHalfAWarpShuffles, Fault::kLanesWaitApart>();
}

void LaunchStore(Stream& stream, int32_t value, int32_t* out) {
  Launch(stream, {.threads = 32, .overlaps = true}, StoreKernel, value, out);
}

void LaunchReader(Stream& stream, Reader reader, const int32_t* in, int32_t* out) {
  const LaunchShape shape = {.threads = 32, .overlaps = true};
  switch (reader) {
    case Reader::kWaits:
      return Launch(stream, shape, ReaderKernel<Reader::kWaits>, in, out);
    case Reader::kReadsBeforeItWaits:
      return Launch(stream, shape, ReaderKernel<Reader::kReadsBeforeItWaits>, in, out);
    case Reader::kNeverWaits:
      return Launch(stream, shape, ReaderKernel<Reader::kNeverWaits>, in, out);
  }
}

void LaunchSpecial(Stream& stream, const uint32_t* a, const uint32_t* b, const uint32_t* c,
                   SpecialResults* out) {
  Launch(stream, {.threads = kFaultyThreads}, SpecialKernel, a, b, c, out);
}

}  // namespace memory3::cuda
