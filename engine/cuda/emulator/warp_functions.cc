// Instructions that the lanes of a warp execute for each other: shuffles and tensor core tiles.
#include <cstring>

#include "engine/base/bfloat16.h"
#include "engine/cuda/emulator/apply.h"
#include "engine/cuda/emulator/fail.h"
#include "engine/cuda/emulator/opcodes.h"

namespace memory3::cuda::emulator {
namespace {

// Where a lane's value comes from, and whether that is a lane of its segment.
struct Source {
  int lane;
  bool inside;
};

// `bounds`: the last lane of a segment below, the bits of the lane that name the segment above.
Source Up(int lane, uint32_t by, uint32_t bounds) {
  const int first = static_cast<int>(bounds & 31);
  const int from = lane - static_cast<int>(by);
  return {from, from >= first};
}
int LastOf(int lane, uint32_t bounds) {
  const uint32_t segment = bounds >> 8 & 31;
  return static_cast<int>((lane & segment) | (bounds & 31 & ~segment));
}
Source Down(int lane, uint32_t by, uint32_t bounds) {
  const int from = lane + static_cast<int>(by);
  return {from, from <= LastOf(lane, bounds)};
}
Source Butterfly(int lane, uint32_t by, uint32_t bounds) {
  const int from = lane ^ static_cast<int>(by);
  return {from, from <= LastOf(lane, bounds)};
}
Source Indexed(int lane, uint32_t by, uint32_t bounds) {
  const uint32_t segment = bounds >> 8 & 31;
  const int from = static_cast<int>((lane & segment) | (by & ~segment & 31));
  return {from, from <= LastOf(lane, bounds)};
}

// shfl.sync d|inside, value, by, bounds, members
template <Source (*kFrom)(int, uint32_t, uint32_t)>
void Shuffle(Warp& warp, const Instruction& instruction, uint32_t lanes) {
  warp.CheckWhole(lanes);
  const auto& registers = instruction.registers;
  uint64_t values[kLanes];
  std::memcpy(values, warp.lanes(registers[2]), sizeof(values));
  ForLanes(lanes, [&](int lane) {
    if (static_cast<uint32_t>(warp.lanes(registers[5])[lane]) != kAllLanes) {
      Fail("a shuffle of a part of a warp");
    }
    Source source = kFrom(lane, static_cast<uint32_t>(warp.lanes(registers[3])[lane]),
                          static_cast<uint32_t>(warp.lanes(registers[4])[lane]));
    if (!source.inside) source.lane = lane;
    if ((lanes >> source.lane & 1) == 0) Fail("a shuffle from a lane that there is not");
    warp.lanes(registers[1])[lane] = source.inside ? 1 : 0;
    warp.lanes(registers[0])[lane] = static_cast<uint32_t>(values[source.lane]);
  });
}

float Half(uint64_t pair, int index) {
  return FromBfloat16(static_cast<uint16_t>(pair >> (16 * index)));
}

// mma d, a, b, c with 4, 4, 2 and 4 registers; who holds what: platform/tensor_core.h.
void MultiplyTile(Warp& warp, const Instruction& instruction, uint32_t lanes) {
  warp.CheckWhole(lanes);
  if (lanes != kAllLanes) Fail("a tensor core product of a part of a warp");
  if (warp.launch().counters != nullptr) ++warp.launch().counters->tile_products;
  const int32_t* const d = instruction.registers.data();
  const int32_t* const a = d + 4;
  const int32_t* const b = d + 8;
  const int32_t* const c = d + 10;
  float left[16][16];
  float right[16][8];
  for (int lane = 0; lane < kLanes; ++lane) {
    const int group = lane / 4;
    const int pair = 2 * (lane % 4);
    for (int i = 0; i < 2; ++i) {
      left[group][pair + i] = Half(warp.lanes(a[0])[lane], i);
      left[group + 8][pair + i] = Half(warp.lanes(a[1])[lane], i);
      left[group][pair + 8 + i] = Half(warp.lanes(a[2])[lane], i);
      left[group + 8][pair + 8 + i] = Half(warp.lanes(a[3])[lane], i);
      right[pair + i][group] = Half(warp.lanes(b[0])[lane], i);
      right[pair + 8 + i][group] = Half(warp.lanes(b[1])[lane], i);
    }
  }
  for (int lane = 0; lane < kLanes; ++lane) {
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + 8 * (i / 2);
      const int column = 2 * (lane % 4) + i % 2;
      float sum = FromBits<float>(warp.lanes(c[i])[lane]);
      for (int k = 0; k < 16; ++k) sum += left[row][k] * right[k][column];
      warp.lanes(d[i])[lane] = ToBits(sum);
    }
  }
}

// ldmatrix.x4 {4 registers}, [row]: lane l names row l % 8 of tile l / 8.
template <bool kTransposed>
void LoadTiles(Warp& warp, const Instruction& instruction, uint32_t lanes) {
  warp.CheckWhole(lanes);
  if (lanes != kAllLanes) Fail("tiles loaded by a part of a warp");
  constexpr int kRow = 8;
  uint16_t tiles[4][kRow][kRow];
  uint64_t rows_at[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) {
    SetRunningLane(lane);
    rows_at[lane] =
        static_cast<uint32_t>(warp.lanes(instruction.registers[4])[lane] + instruction.offsets[0]);
    std::memcpy(tiles[lane / kRow][lane % kRow],
                warp.shared().Read(rows_at[lane], sizeof(tiles[0][0]), warp.ThreadOf(lane)),
                sizeof(tiles[0][0]));
  }
  if (warp.launch().counters != nullptr) {
    warp.launch().counters->CountShared(rows_at, lanes, sizeof(tiles[0][0]));
  }
  for (int lane = 0; lane < kLanes; ++lane) {
    const int major = lane / 4;
    const int minor = 2 * (lane % 4);
    for (int tile = 0; tile < 4; ++tile) {
      const auto& rows = tiles[tile];
      const uint32_t low = kTransposed ? rows[minor][major] : rows[major][minor];
      const uint32_t high = kTransposed ? rows[minor + 1][major] : rows[major][minor + 1];
      warp.lanes(instruction.registers[tile])[lane] = low | high << 16;
    }
  }
}

}  // namespace

void AddWarpFunctions(OpcodeTable& table) {
  table["shfl.sync.up.b32"] = {.execute = &Shuffle<Up>, .together = true};
  table["shfl.sync.down.b32"] = {.execute = &Shuffle<Down>, .together = true};
  table["shfl.sync.bfly.b32"] = {.execute = &Shuffle<Butterfly>, .together = true};
  table["shfl.sync.idx.b32"] = {.execute = &Shuffle<Indexed>, .together = true};
  table["mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32"] = {.execute = &MultiplyTile,
                                                                  .together = true};
  table["ldmatrix.sync.aligned.m8n8.x4.shared.b16"] = {.execute = &LoadTiles<false>,
                                                       .together = true};
  table["ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16"] = {.execute = &LoadTiles<true>,
                                                             .together = true};
}

}  // namespace memory3::cuda::emulator
