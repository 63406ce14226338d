// The bf16 kernel. Weights are the 16-row operand of the tensor cores, rows of x the 8-column one.
//
// A block makes kWeightTiles * 16 outputs of up to kRowTiles * 8 rows. Its warps share `in`: warp w
// takes pieces w, w + kWarps, ... of kPieceInputs inputs, and their sums are added in the order of
// the warps. That order is the same for every kWeightTiles and kRowTiles, hence for every number of
// rows.
//
// Reading is everything. Each lane copies to shared memory exactly the 16-byte packs that it will
// multiply itself, so that shared memory is a deep prefetch buffer without barriers and without
// bank conflicts: kStages pieces per warp, 96 to 144 KiB per SM in flight, where a few tens of KiB
// cover the latency of HBM. A pack's 8 inputs are spread over two tensor core steps in an order of
// our own; x follows the same order, and a sum does not mind.
#include "engine/cuda/kernels/skinny_epilogue.h"
#include "engine/cuda/kernels/skinny_matmul.h"
#include "engine/cuda/platform/launch.h"
#include "engine/cuda/platform/pack.h"
#include "engine/cuda/platform/tensor_core.h"

namespace memory3::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int kThreads = kWarps * kWarpSize;
constexpr int kTileOutputs = 16;
constexpr int kTileRows = 8;
constexpr int kPackInputs = 8;                 // 16 bytes
constexpr int kPieceInputs = 4 * kPackInputs;  // the four lanes that share a row of a tile

using Packed = Pack<uint32_t, 4>;  // eight bf16

// kGated: the tiles of a block are pairs of gate and up rows of the same outputs.
template <int kWeightTiles_, int kRowTiles_, int kStages_, bool kGated_>
struct Shape {
  static constexpr int kWeightTiles = kWeightTiles_;
  static constexpr int kRowTiles = kRowTiles_;
  static constexpr int kStages = kStages_;
  static constexpr bool kGated = kGated_;
  static constexpr int kOutputs = kWeightTiles * kTileOutputs / (kGated ? 2 : 1);
  static constexpr int kRows = kRowTiles * kTileRows;
  // A lane copies two packs per tile: rows lane / 4 and lane / 4 + 8.
  static constexpr int kStagePacks = 2 * kWeightTiles * kWarpSize;
  static constexpr int kRingBytes = kWarps * kStages * kStagePacks * 16;
  // Sums of one warp: (row, weight row), padded so that a warp's stores meet different banks.
  static constexpr int kSumStride = kWeightTiles * kTileOutputs + 4;
  static constexpr int kSumBytes = kWarps * kRows * kSumStride * static_cast<int>(sizeof(float));
  static constexpr int kSharedBytes = kRingBytes > kSumBytes ? kRingBytes : kSumBytes;
};

// Weight rows of a block: local row r (of kWeightTiles * 16) is a row of W, or -1 beyond the last.
template <typename S, typename Out>
M3_DEVICE int32_t WeightRow(const SkinnyMatMulArgs<BFloat16, Out>& args, int r) {
  const bool up = S::kGated && r >= S::kOutputs;
  const int32_t output =
      static_cast<int32_t>(blockIdx.y) * S::kOutputs + r - (up ? S::kOutputs : 0);
  if (output >= args.out) return -1;
  return up ? args.out + output : output;
}

// The weights of a block as one lane sees them.
template <typename S>
class WeightRing {
 public:
  template <typename Out>
  M3_DEVICE WeightRing(const SkinnyMatMulArgs<BFloat16, Out>& args)
      : packs_(SharedMemory<Packed>() + Warp() * S::kStages * S::kStagePacks + Lane()) {
    M3_UNROLL
    for (int i = 0; i < 2 * S::kWeightTiles; ++i) {
      const int32_t row = WeightRow<S>(args, i * kTileRows + Lane() / 4);
      valid_inputs_[i] = row < 0 ? 0 : args.in;
      rows_[i] = args.weight + int64_t{row < 0 ? 0 : row} * args.in;
    }
  }

  // Starts copying the inputs from `input` on: of this lane's packs, those below args.in.
  M3_DEVICE void Start(int stage, int32_t input) {
    M3_UNROLL
    for (int i = 0; i < 2 * S::kWeightTiles; ++i) {
      const bool valid = input < valid_inputs_[i];
      CopyAsync16(packs_ + stage * S::kStagePacks + i * kWarpSize, rows_[i] + (valid ? input : 0),
                  valid);
    }
  }

  // Rows lane / 4 and lane / 4 + 8 of a tile.
  M3_DEVICE Packed Low(int stage, int tile) const { return At(stage, 2 * tile); }
  M3_DEVICE Packed High(int stage, int tile) const { return At(stage, 2 * tile + 1); }

 private:
  M3_DEVICE Packed At(int stage, int i) const {
    return packs_[stage * S::kStagePacks + i * kWarpSize];
  }

  Packed* packs_;
  const BFloat16* rows_[2 * S::kWeightTiles];
  int32_t valid_inputs_[2 * S::kWeightTiles];
};

// The same inputs of this lane's rows of x; zeros beyond rows and inputs.
template <typename S, typename Out>
M3_DEVICE void LoadRows(const SkinnyMatMulArgs<BFloat16, Out>& args, int32_t input,
                        Packed (&packs)[S::kRowTiles]) {
  const int32_t first_row = static_cast<int32_t>(blockIdx.x) * S::kRows + Lane() / 4;
  M3_UNROLL
  for (int tile = 0; tile < S::kRowTiles; ++tile) {
    const int32_t row = first_row + tile * kTileRows;
    packs[tile] = {};
    if (row < args.rows && input < args.in) {
      packs[tile] = *reinterpret_cast<const Packed*>(args.x + int64_t{row} * args.in + input);
    }
  }
}

template <typename S>
M3_DEVICE void MultiplyPiece(const WeightRing<S>& weights, int stage,
                             const Packed (&rows)[S::kRowTiles],
                             float (&sums)[S::kWeightTiles][S::kRowTiles][4]) {
  M3_UNROLL
  for (int w = 0; w < S::kWeightTiles; ++w) {
    const Packed low = weights.Low(stage, w);
    const Packed high = weights.High(stage, w);
    const uint32_t first[4] = {low.values[0], high.values[0], low.values[1], high.values[1]};
    const uint32_t second[4] = {low.values[2], high.values[2], low.values[3], high.values[3]};
    M3_UNROLL
    for (int r = 0; r < S::kRowTiles; ++r) {
      const Packed& x = rows[r];
      MmaBf16(sums[w][r], first, {x.values[0], x.values[1]});
      MmaBf16(sums[w][r], second, {x.values[2], x.values[3]});
    }
  }
}

// Adds the sums of all warps, in their order, and writes the block's outputs.
template <typename S, typename Out>
M3_DEVICE void Finish(const SkinnyMatMulArgs<BFloat16, Out>& args,
                      const float (&sums)[S::kWeightTiles][S::kRowTiles][4]) {
  constexpr int kWarpSums = S::kRows * S::kSumStride;
  float* all = SharedMemory<float>();
  __syncthreads();  // the ring is done with
  float* mine = all + Warp() * kWarpSums;
  M3_UNROLL
  for (int w = 0; w < S::kWeightTiles; ++w) {
    M3_UNROLL
    for (int r = 0; r < S::kRowTiles; ++r) {
      M3_UNROLL
      for (int i = 0; i < 4; ++i) {
        const int row = r * kTileRows + 2 * (Lane() % 4) + i % 2;
        mine[row * S::kSumStride + w * kTileOutputs + Lane() / 4 + 8 * (i / 2)] = sums[w][r][i];
      }
    }
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < S::kRows * S::kOutputs; i += kThreads) {
    const int local_row = i / S::kOutputs;
    const int output = i % S::kOutputs;
    const int32_t row = static_cast<int32_t>(blockIdx.x) * S::kRows + local_row;
    const int32_t feature = static_cast<int32_t>(blockIdx.y) * S::kOutputs + output;
    if (row >= args.rows || feature >= args.out) continue;
    float sum = 0;
    float up_sum = 0;
    for (int warp = 0; warp < kWarps; ++warp) {
      const float* part = all + warp * kWarpSums + local_row * S::kSumStride + output;
      sum += part[0];
      if (S::kGated) up_sum += part[S::kOutputs];
    }
    FinishOutput(args, row, feature, sum, up_sum);
  }
}

template <typename S, typename Out>
M3_KERNEL void M3_LAUNCH_BOUNDS(kThreads) SkinnyKernel(SkinnyMatMulArgs<BFloat16, Out> args) {
  constexpr int kStep = kWarps * kPieceInputs;
  const int32_t first_input = Warp() * kPieceInputs + Lane() % 4 * kPackInputs;
  const int32_t pieces = (args.in - Warp() * kPieceInputs + kStep - 1) / kStep;
  LetNextKernelStart();
  WeightRing<S> weights(args);
  M3_UNROLL
  for (int stage = 0; stage < S::kStages; ++stage) {
    weights.Start(stage, first_input + stage * kStep);
    CommitCopies();
  }
  // Up to here only weights were read: in the shadow of the kernel that makes x.
  WaitForPreviousKernel();
  Packed rows[S::kRowTiles];
  LoadRows<S>(args, first_input, rows);
  float sums[S::kWeightTiles][S::kRowTiles][4] = {};
  int stage = 0;
  for (int32_t piece = 0; piece < pieces; ++piece) {
    Packed next_rows[S::kRowTiles];
    LoadRows<S>(args, first_input + (piece + 1) * kStep, next_rows);
    WaitCopies<S::kStages - 1>();
    MultiplyPiece<S>(weights, stage, rows, sums);
    weights.Start(stage, first_input + (piece + S::kStages) * kStep);
    CommitCopies();
    M3_UNROLL
    for (int r = 0; r < S::kRowTiles; ++r) rows[r] = next_rows[r];
    stage = stage + 1 == S::kStages ? 0 : stage + 1;
  }
  WaitCopies<0>();
  Finish<S>(args, sums);
}

template <typename S, typename Out>
void LaunchSkinny(Stream& stream, const SkinnyMatMulArgs<BFloat16, Out>& args) {
  const LaunchShape shape = {
      .grid = {static_cast<uint32_t>((args.rows + S::kRows - 1) / S::kRows),
               static_cast<uint32_t>((args.out + S::kOutputs - 1) / S::kOutputs)},
      .threads = kThreads,
      .shared_bytes = S::kSharedBytes,
      .overlaps = true};
  Launch(stream, shape, SkinnyKernel<S, Out>, args);
}

// Stages: two blocks of up to 96 KiB fit on an SM of an H100, one on an A100. With many rows x
// weighs more than the weights, so a block takes more outputs; above 32 rows as many as its
// registers hold sums for, one block to an SM.
template <typename Out>
void LaunchStoring(Stream& stream, const SkinnyMatMulArgs<BFloat16, Out>& args) {
  if (args.rows <= 8) return LaunchSkinny<Shape<1, 1, 12, false>>(stream, args);
  if (args.rows <= 16) return LaunchSkinny<Shape<1, 2, 12, false>>(stream, args);
  if (args.rows <= 32) return LaunchSkinny<Shape<2, 4, 6, false>>(stream, args);
  LaunchSkinny<Shape<3, 8, 6, false>>(stream, args);
}

template <typename Out>
void LaunchGated(Stream& stream, const SkinnyMatMulArgs<BFloat16, Out>& args) {
  if (args.rows <= 8) return LaunchSkinny<Shape<2, 1, 6, true>>(stream, args);
  if (args.rows <= 16) return LaunchSkinny<Shape<2, 2, 6, true>>(stream, args);
  if (args.rows <= 32) return LaunchSkinny<Shape<2, 4, 6, true>>(stream, args);
  LaunchSkinny<Shape<2, 8, 6, true>>(stream, args);
}

}  // namespace

template <typename T, typename Out>
void SkinnyMatMul(Stream& stream, const SkinnyMatMulArgs<T, Out>& args) {
  if (args.rows == 0) return;
  if (args.epilogue == Epilogue::kSwiGlu) return LaunchGated(stream, args);
  LaunchStoring(stream, args);
}

template void SkinnyMatMul(Stream&, const SkinnyMatMulArgs<BFloat16, BFloat16>&);
template void SkinnyMatMul(Stream&, const SkinnyMatMulArgs<BFloat16, float>&);

}  // namespace memory3::cuda
