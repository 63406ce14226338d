// Short float vectors for kernels that are compiled once per instruction set, and an exponential
// function for them.
//
// Everything is always_inline: these templates are instantiated in translation units with different
// -m flags, and an out-of-line copy made with the wrong flags could be picked by the linker for all
// of them. A unit must only use widths that its flags support.
#ifndef MEMORY3_ENGINE_BASE_VECTOR_MATH_H_
#define MEMORY3_ENGINE_BASE_VECTOR_MATH_H_

#include <cstdint>

#ifdef __AVX2__
#include <immintrin.h>
#endif

#define M3_INLINE inline __attribute__((always_inline))

namespace memory3 {

template <int kLanes>
struct VectorTypes {
  typedef float Float __attribute__((vector_size(kLanes * 4)));
  typedef int32_t Int __attribute__((vector_size(kLanes * 4)));
  typedef uint16_t Half __attribute__((vector_size(kLanes * 2)));
};
template <int kLanes>
using FloatVec = typename VectorTypes<kLanes>::Float;
template <int kLanes>
using IntVec = typename VectorTypes<kLanes>::Int;

template <int kLanes>
M3_INLINE FloatVec<kLanes> Load(const float* p) {
  FloatVec<kLanes> v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}

// bfloat16 is the upper half of a float.
template <int kLanes>
M3_INLINE FloatVec<kLanes> Load(const uint16_t* p) {
  // g++ 12 widens a generic vector in halves; the instructions do it in one.
#ifdef __AVX512F__
  if constexpr (kLanes == 16) {
    const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m512i wide = _mm512_maskz_cvtepu16_epi32(0xFFFF, half);
    return reinterpret_cast<FloatVec<kLanes>>(reinterpret_cast<IntVec<kLanes>>(wide) << 16);
  }
#endif
#ifdef __AVX2__
  if constexpr (kLanes == 8) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
  }
#endif
  typename VectorTypes<kLanes>::Half half;
  __builtin_memcpy(&half, p, sizeof(half));
  const IntVec<kLanes> wide = __builtin_convertvector(half, IntVec<kLanes>) << 16;
  return reinterpret_cast<FloatVec<kLanes>>(wide);
}

template <int kLanes>
M3_INLINE void Store(float* p, FloatVec<kLanes> v) {
  __builtin_memcpy(p, &v, sizeof(v));
}

template <int kLanes>
M3_INLINE FloatVec<kLanes> Splat(float x) {
  return x - FloatVec<kLanes>{};  // x + 0 would turn -0 into 0 and cost an addition
}

// Lane by lane; `b` where either is NaN.
template <int kLanes>
M3_INLINE FloatVec<kLanes> Max(FloatVec<kLanes> a, FloatVec<kLanes> b) {
  return a > b ? a : b;
}

// Lane i of the result is lane i ^ kStep.
template <int kLanes, int kStep>
M3_INLINE FloatVec<kLanes> SwapLanes(FloatVec<kLanes> v) {
  IntVec<kLanes> source = {};
  for (int i = 0; i < kLanes; ++i) source[i] = i ^ kStep;
  return __builtin_shuffle(v, source);
}

// Halves are added to each other, then quarters, ...: the same order wherever it is called.
template <int kLanes, int kStep = kLanes / 2>
M3_INLINE float SumOfLanes(FloatVec<kLanes> v) {
  if constexpr (kStep == 0) {
    return v[0];
  } else {
    return SumOfLanes<kLanes, kStep / 2>(v + SwapLanes<kLanes, kStep>(v));
  }
}

template <int kLanes, int kStep = kLanes / 2>
M3_INLINE float MaxOfLanes(FloatVec<kLanes> v) {
  if constexpr (kStep == 0) {
    return v[0];
  } else {
    return MaxOfLanes<kLanes, kStep / 2>(Max<kLanes>(v, SwapLanes<kLanes, kStep>(v)));
  }
}

// e^x with a relative error of about 1e-7. Exactly 1 at 0; exactly 0 below -87 (where the result
// would be denormal) and at -infinity; at most e^88, so that it never overflows; NaN stays NaN.
template <int kLanes>
M3_INLINE FloatVec<kLanes> Exp(FloatVec<kLanes> x) {
  using F = FloatVec<kLanes>;
  using I = IntVec<kLanes>;
  constexpr float kLowest = -87.0f, kHighest = 88.0f;
  constexpr float kLog2E = 1.44269504088896341f;
  // ln 2 in two parts: products of the first with small integers are exact.
  constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  // Adding 1.5 * 2^23 rounds to an integer, which then sits in the low bits.
  constexpr float kRound = 12582912.0f;
  const I underflow = x < kLowest;
  x = underflow ? F{} + kLowest : x;
  x = x > kHighest ? F{} + kHighest : x;
  const F rounded = x * kLog2E + kRound;
  const F n = rounded - kRound;
  const F r = (x - n * kLn2High) - n * kLn2Low;
  F p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  constexpr int32_t kRoundBits = 0x4B400000, kBias = 127;
  const I exponent = (reinterpret_cast<I>(rounded) - kRoundBits + kBias) << 23;
  const F scaled = p * reinterpret_cast<F>(exponent);
  return underflow ? F{} : scaled;
}

}  // namespace memory3

#endif  // MEMORY3_ENGINE_BASE_VECTOR_MATH_H_
