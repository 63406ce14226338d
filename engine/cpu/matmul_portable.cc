// Matrix products for machines without the instruction sets of the other units: vectors of four
// floats, which every current processor has and every compiler can split where one has not.
#include <cstring>

#include "engine/cpu/matmul_tile.h"

namespace memory3 {
namespace {

typedef float Floats __attribute__((vector_size(16)));
typedef uint32_t Words __attribute__((vector_size(16)));

// The two bf16 of each word, widened to f32: bf16 is the upper half.
Floats Even(Words pairs) { return reinterpret_cast<Floats>(pairs << 16); }
Floats Odd(Words pairs) { return reinterpret_cast<Floats>(pairs & 0xFFFF0000u); }

struct Base {
  using Acc = Floats;
  static constexpr int kLanes = 4;
  static constexpr int kAccumulators = 8;
  static Acc Zero() { return Acc{}; }
  static Acc Load(const float* from) {
    Acc acc;
    std::memcpy(&acc, from, sizeof(acc));
    return acc;
  }
  static void Store(float* to, Acc acc) { std::memcpy(to, &acc, sizeof(acc)); }
};

template <int kVectors>
struct Bf16 : Base {
  struct Weights {
    Floats even[kVectors], odd[kVectors];
  };
  struct Input {
    Floats even, odd;
  };
  static Weights LoadWeights(const uint8_t* from) {
    Weights w;
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) {
      Words pairs;
      std::memcpy(&pairs, from + i * sizeof(pairs), sizeof(pairs));
      w.even[i] = Even(pairs);
      w.odd[i] = Odd(pairs);
    }
    return w;
  }
  static Input LoadInput(const uint8_t* from) {
    uint32_t pair;
    std::memcpy(&pair, from, sizeof(pair));
    const Words pairs = Words{} + pair;
    return {Even(pairs), Odd(pairs)};
  }
  static void MultiplyAdd(Acc (&acc)[kVectors], const Weights& w, const Input& x) {
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) acc[i] = acc[i] + w.even[i] * x.even;
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) acc[i] = acc[i] + w.odd[i] * x.odd;
  }
};

template <int kVectors>
struct F32 : Base {
  struct Weights {
    Floats v[kVectors];
  };
  using Input = float;
  static Weights LoadWeights(const uint8_t* from) {
    Weights w;
    std::memcpy(&w, from, sizeof(w));
    return w;
  }
  static Input LoadInput(const uint8_t* from) {
    float x;
    std::memcpy(&x, from, sizeof(x));
    return x;
  }
  static void MultiplyAdd(Acc (&acc)[kVectors], const Weights& w, Input x) {
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) acc[i] = acc[i] + w.v[i] * x;
  }
};

constexpr int kTileRows = 4;
// 16 KiB, for the L1 cache.
constexpr int64_t kBlockChunks = 8;

}  // namespace

const MatMulKernels kPortableMatMulKernels = {{RunTile<Bf16, kTileRows>, kTileRows, kBlockChunks},
                                              {RunTile<F32, kTileRows>, kTileRows, kBlockChunks}};

}  // namespace memory3
