// Matrix products for AVX2 with FMA. Compiled with the flags for it; see matmul_tile.h for what may
// be included. bf16 is widened to f32: the even input of a pair is the upper half of its 32 bits
// after a shift, the odd one after a mask.
#include <immintrin.h>

#include <cstring>

#include "engine/cpu/matmul_tile.h"

namespace memory3 {
namespace {

__m256 Even(__m256i pairs) { return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)); }
__m256 Odd(__m256i pairs) {
  return _mm256_castsi256_ps(
      _mm256_and_si256(pairs, _mm256_set1_epi32(static_cast<int>(0xFFFF0000u))));
}

struct Base {
  using Acc = __m256;
  static constexpr int kLanes = 8;
  static Acc Zero() { return _mm256_setzero_ps(); }
  static Acc Load(const float* from) { return _mm256_loadu_ps(from); }
  static void Store(float* to, Acc acc) { _mm256_storeu_ps(to, acc); }
};

template <int kVectors>
struct Bf16 : Base {
  static constexpr int kAccumulators = 8;
  struct Weights {
    __m256 even[kVectors], odd[kVectors];
  };
  struct Input {
    __m256 even, odd;
  };
  static Weights LoadWeights(const uint8_t* from) {
    Weights w;
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) {
      const __m256i pairs =
          _mm256_load_si256(reinterpret_cast<const __m256i*>(from + i * sizeof(__m256i)));
      w.even[i] = Even(pairs);
      w.odd[i] = Odd(pairs);
    }
    return w;
  }
  static Input LoadInput(const uint8_t* from) {
    int pair;
    std::memcpy(&pair, from, sizeof(pair));
    const __m256i pairs = _mm256_set1_epi32(pair);
    return {Even(pairs), Odd(pairs)};
  }
  static void MultiplyAdd(Acc (&acc)[kVectors], const Weights& w, const Input& x) {
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) acc[i] = _mm256_fmadd_ps(w.even[i], x.even, acc[i]);
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) acc[i] = _mm256_fmadd_ps(w.odd[i], x.odd, acc[i]);
  }
};

template <int kVectors>
struct F32 : Base {
  static constexpr int kAccumulators = 12;
  struct Weights {
    __m256 v[kVectors];
  };
  using Input = __m256;
  static Weights LoadWeights(const uint8_t* from) {
    Weights w;
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) {
      w.v[i] = _mm256_load_ps(reinterpret_cast<const float*>(from) + i * kLanes);
    }
    return w;
  }
  static Input LoadInput(const uint8_t* from) {
    float x;
    std::memcpy(&x, from, sizeof(x));
    return _mm256_set1_ps(x);
  }
  static void MultiplyAdd(Acc (&acc)[kVectors], const Weights& w, Input x) {
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) acc[i] = _mm256_fmadd_ps(w.v[i], x, acc[i]);
  }
};

constexpr int kBf16TileRows = 4;  // 8 accumulators, 4 weights, 2 inputs of 16 registers
constexpr int kF32TileRows = 6;   // 12 accumulators, 2 weights, 1 input
// 16 KiB: with so few rows to a pass, the weights must come from the L1 cache.
constexpr int64_t kBlockChunks = 8;

}  // namespace

const MatMulKernels kAvx2MatMulKernels = {
    {RunTile<Bf16, kBf16TileRows>, kBf16TileRows, kBlockChunks},
    {RunTile<F32, kF32TileRows>, kF32TileRows, kBlockChunks}};

}  // namespace memory3
