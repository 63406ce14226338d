#include "tools/peak_loops.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace memory3 {
namespace {

// Independent sums per loop: latency times throughput of the multiply-add of any current core.
constexpr int kSums = 12;
constexpr int64_t kFlopsPerMultiplyAdd = 2;

// The barrier makes the sums look used and changed, so that no step can be merged or moved.
#if defined(__x86_64__)

__attribute__((target("avx512f,avx512bf16"))) void RunAvx512Bf16(int64_t loops) {
  __m512 sums[kSums] = {};
  const auto x = reinterpret_cast<__m512bh>(_mm512_set1_epi32(0));
  for (int64_t loop = 0; loop < loops; ++loop) {
#pragma GCC unroll 12
    for (__m512& sum : sums) {
      sum = _mm512_dpbf16_ps(sum, x, x);
      asm volatile("" : "+v"(sum));
    }
  }
}

__attribute__((target("avx2,fma"))) void RunAvx2(int64_t loops) {
  __m256 sums[kSums] = {};
  const __m256 x = _mm256_set1_ps(0.5f);
  for (int64_t loop = 0; loop < loops; ++loop) {
#pragma GCC unroll 12
    for (__m256& sum : sums) {
      sum = _mm256_fmadd_ps(sum, x, x);
      asm volatile("" : "+x"(sum));
    }
  }
}

#endif

void RunPortable(int64_t loops) {
  typedef float Vector __attribute__((vector_size(16)));
  Vector sums[kSums] = {};
  const Vector x = Vector{} + 0.5f;
  for (int64_t loop = 0; loop < loops; ++loop) {
#pragma GCC unroll 12
    for (Vector& sum : sums) {
      sum = sum * x + x;
#if defined(__x86_64__)
      asm volatile("" : "+x"(sum));
#else
      asm volatile("" : "+m"(sum));
#endif
    }
  }
}

constexpr int64_t Flops(int64_t products_per_instruction) {
  return kSums * products_per_instruction * kFlopsPerMultiplyAdd;
}

}  // namespace

PeakLoop BestPeakLoop() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bf16")) {
    return {RunAvx512Bf16, Flops(32)};
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return {RunAvx2, Flops(8)};
  }
#endif
  return {RunPortable, Flops(4)};
}

}  // namespace memory3
