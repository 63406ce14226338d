#include <algorithm>
#include <type_traits>

#include "engine/cuda/kernels/attention.h"
#include "engine/cuda/kernels/decode_states.h"
#include "engine/cuda/kernels/decode_tiles.h"
#include "engine/cuda/kernels/plain_attention.h"
#include "engine/cuda/kernels/row_keys.h"
#include "engine/cuda/platform/kernel.h"
#include "engine/cuda/platform/launch.h"

namespace memory3::cuda {
namespace {

// Two rounds of the blocks that a large device holds at once: two on each of some 132 SMs. A row's
// parts are shared out to so many blocks of the grid, not one each, lest a long max_context launch
// many blocks that find nothing to do: each takes a place for as long as three loads take.
constexpr int32_t kTargetBlocks = 512;

M3_DEVICE int32_t Smaller(int32_t a, int32_t b) { return a < b ? a : b; }

// Grid: (blocks of a row, kv_heads, rows).
template <typename T>
M3_KERNEL void M3_LAUNCH_BOUNDS(kPlainThreads)
    PlainDecodeKernel(AttentionArgs<T> args, DecodeStates states, int32_t first_row) {
  LetNextKernelStart();
  WaitForPreviousKernel();
  const auto row = static_cast<int32_t>(blockIdx.z);
  const auto kv_head = static_cast<int32_t>(blockIdx.y);
  const RowKeys<T> keys(args, first_row + row, kv_head);
  if (keys.is_padding()) return;
  const int32_t parts = DecodeStates::PartsOf(keys.visible());
  if (static_cast<int32_t>(blockIdx.x) >= parts) return;

  float* shared = SharedMemory<float>();
  auto* flag = reinterpret_cast<int32_t*>(shared);
  const PlainState state(states.group, states.head_dim, shared + 1);
  const int64_t at =
      (int64_t{first_row + row} * args.shape.heads + kv_head * states.group) * args.shape.head_dim;
  LoadQueries(args.queries + at, state);
  for (auto part = static_cast<int32_t>(blockIdx.x); part < parts;
       part += static_cast<int32_t>(gridDim.x)) {
    Reset(state);
    if (part == 0) FoldMemory(state, keys);
    const int32_t begin = part * kDecodePartTokens;
    FoldContext(state, keys, begin, Smaller(begin + kDecodePartTokens, keys.visible()));
    if (parts == 1) {
      StoreResult(state, args.out + at);
      return;
    }
    StoreState(state, states, states.state(row, kv_head, part));
    __syncthreads();
  }
  const int32_t blocks = Smaller(static_cast<int32_t>(gridDim.x), parts);
  if (!ArriveLast(states.arrivals + row * states.kv_heads + kv_head, blocks, flag)) return;
  StoreMerged(states, row, kv_head, parts, args.out + at);
}

int64_t ArrivalFloats(const AttentionShape& shape) {
  return int64_t{kMaxDecodeRows} * shape.kv_heads;
}

template <typename T>
void LaunchDecode(Stream& stream, const AttentionArgs<T>& args, const DecodeStates& states,
                  int32_t first_row, int32_t rows) {
  const int32_t blocks = std::clamp(kTargetBlocks / (rows * args.shape.kv_heads), 1, states.parts);
  if constexpr (std::is_same_v<T, BFloat16>) {
    if (LaunchDecodeTiles(stream, args, states, first_row, rows, blocks)) return;
  }
  const int64_t floats = 1 + PlainState::Floats(states.group, states.head_dim);
  const LaunchShape shape = {
      .grid = {static_cast<uint32_t>(blocks), static_cast<uint32_t>(args.shape.kv_heads),
               static_cast<uint32_t>(rows)},
      .threads = kPlainThreads,
      .shared_bytes = static_cast<int>(floats * sizeof(float)),
      .overlaps = true};
  Launch(stream, shape, PlainDecodeKernel<T>, args, states, first_row);
}

}  // namespace

int64_t DecodeScratchFloats(const AttentionShape& shape, int32_t rows, int32_t max_context) {
  const int64_t states =
      int64_t{std::min(rows, kMaxDecodeRows)} * shape.kv_heads * DecodeStates::PartsOf(max_context);
  return ArrivalFloats(shape) + states * shape.group() * (shape.head_dim + 2);
}

template <typename T>
void DecodeAttention(Stream& stream, const AttentionArgs<T>& args, int32_t first_row, int32_t rows,
                     int32_t max_context, float* scratch) {
  const DecodeStates states = {.arrivals = reinterpret_cast<int32_t*>(scratch),
                               .states = scratch + ArrivalFloats(args.shape),
                               .kv_heads = args.shape.kv_heads,
                               .group = args.shape.group(),
                               .head_dim = args.shape.head_dim,
                               .parts = DecodeStates::PartsOf(max_context)};
  for (int32_t done = 0; done < rows; done += kMaxDecodeRows) {
    LaunchDecode(stream, args, states, first_row + done, std::min(rows - done, kMaxDecodeRows));
  }
}

template void DecodeAttention(Stream&, const AttentionArgs<float>&, int32_t, int32_t, int32_t,
                              float*);
template void DecodeAttention(Stream&, const AttentionArgs<BFloat16>&, int32_t, int32_t, int32_t,
                              float*);

}  // namespace memory3::cuda
