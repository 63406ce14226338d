#include "retrieval/index/inner_product.h"

#include "engine/base/vector_math.h"

namespace memory3 {
namespace {

// Partial sums, whatever the width of a register: enough to keep several additions in flight.
constexpr int kPartialSums = 32;

template <int kLanes>
M3_INLINE float Sum(const float* a, const float* b, int count) {
  constexpr int kRegisters = kPartialSums / kLanes;
  FloatVec<kLanes> sums[kRegisters] = {};
  int i = 0;
  for (; i + kPartialSums <= count; i += kPartialSums) {
    for (int r = 0; r < kRegisters; ++r) {
      FloatVec<kLanes> x, y;
      __builtin_memcpy(&x, a + i + r * kLanes, sizeof(x));
      __builtin_memcpy(&y, b + i + r * kLanes, sizeof(y));
      sums[r] += x * y;
    }
  }
  float partial[kPartialSums];
  __builtin_memcpy(partial, sums, sizeof(partial));
  for (; i < count; ++i) partial[i % kPartialSums] += a[i] * b[i];
  for (int half = kPartialSums / 2; half > 0; half /= 2) {
    for (int lane = 0; lane < half; ++lane) partial[lane] += partial[lane + half];
  }
  return partial[0];
}

float InnerProductPortable(const float* a, const float* b, int count) {
  return Sum<4>(a, b, count);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) float InnerProductAvx2(const float* a, const float* b, int count) {
  return Sum<8>(a, b, count);
}
__attribute__((target("avx512f"))) float InnerProductAvx512(const float* a, const float* b,
                                                            int count) {
  return Sum<16>(a, b, count);
}
#endif

}  // namespace

std::vector<InnerProductFn> UsableInnerProducts() {
  std::vector<InnerProductFn> usable = {InnerProductPortable};
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2")) usable.push_back(InnerProductAvx2);
  if (__builtin_cpu_supports("avx512f")) usable.push_back(InnerProductAvx512);
#endif
  return usable;
}

InnerProductFn BestInnerProduct() { return UsableInnerProducts().back(); }

}  // namespace memory3
