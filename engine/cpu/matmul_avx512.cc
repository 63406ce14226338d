// Matrix products for AVX-512 with BF16. Compiled with the flags for it; see matmul_tile.h for what
// may be included. vdpbf16ps treats subnormal inputs and results as zero and rounds to nearest
// even.
#include <immintrin.h>

#include <cstring>

#include "engine/cpu/matmul_tile.h"

namespace memory3 {
namespace {

struct Base {
  using Acc = __m512;
  static constexpr int kLanes = 16;
  static constexpr int kAccumulators = 24;
  static Acc Zero() { return _mm512_setzero_ps(); }
  static Acc Load(const float* from) { return _mm512_loadu_ps(from); }
  static void Store(float* to, Acc acc) { _mm512_storeu_ps(to, acc); }
};

template <int kVectors>
struct Bf16 : Base {
  struct Weights {
    __m512bh v[kVectors];
  };
  using Input = __m512bh;
  static Weights LoadWeights(const uint8_t* from) {
    Weights w;
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) {
      w.v[i] = reinterpret_cast<__m512bh>(_mm512_load_si512(from + i * sizeof(__m512i)));
    }
    return w;
  }
  static Input LoadInput(const uint8_t* from) {
    int pair;
    std::memcpy(&pair, from, sizeof(pair));
    return reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
  }
  static void MultiplyAdd(Acc (&acc)[kVectors], const Weights& w, Input x) {
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) acc[i] = _mm512_dpbf16_ps(acc[i], w.v[i], x);
  }
};

template <int kVectors>
struct F32 : Base {
  struct Weights {
    __m512 v[kVectors];
  };
  using Input = __m512;
  static Weights LoadWeights(const uint8_t* from) {
    Weights w;
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) w.v[i] = _mm512_load_ps(from + i * sizeof(__m512));
    return w;
  }
  static Input LoadInput(const uint8_t* from) {
    float x;
    std::memcpy(&x, from, sizeof(x));
    return _mm512_set1_ps(x);
  }
  static void MultiplyAdd(Acc (&acc)[kVectors], const Weights& w, Input x) {
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) acc[i] = _mm512_fmadd_ps(w.v[i], x, acc[i]);
  }
};

constexpr int kTileRows = 12;  // 24 accumulators, 2 weights, 6 left for inputs
// 64 KiB: half a dozen cycles of arithmetic pass per line, which the L2 cache keeps up with.
constexpr int64_t kBlockChunks = 32;

}  // namespace

const MatMulKernels kAvx512MatMulKernels = {{RunTile<Bf16, kTileRows>, kTileRows, kBlockChunks},
                                            {RunTile<F32, kTileRows>, kTileRows, kBlockChunks}};

}  // namespace memory3
