#include "engine/cuda/host/device_tiles.h"

#include <cstring>
#include <utility>

#include "engine/base/bfloat16.h"
#include "engine/base/check.h"
#include "engine/cuda/host/executor.h"
#include "engine/cuda/host/thread_copies.h"

namespace memory3::cuda::host {
namespace {

struct Operands {
  uint32_t a[4];
  uint32_t b[2];
};

float Half(uint32_t pair, int index) {
  return FromBfloat16(static_cast<uint16_t>(pair >> (16 * index)));
}

// Element (row, k) of the 16x16 operand A, spread over the warp.
float ElementOfA(const Operands (&warp)[32], int row, int k) {
  const Operands& lane = warp[(row % 8) * 4 + (k % 8) / 2];
  return Half(lane.a[row / 8 + 2 * (k / 8)], k % 2);
}

// Element (k, column) of the 16x8 operand B.
float ElementOfB(const Operands (&warp)[32], int k, int column) {
  const Operands& lane = warp[column * 4 + (k % 8) / 2];
  return Half(lane.b[k / 8], k % 2);
}

}  // namespace

void MultiplyTile(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  Operands mine;
  std::memcpy(mine.a, a, sizeof(a));
  std::memcpy(mine.b, b, sizeof(b));
  Operands warp[32];
  M3_CHECK(ExchangeInWarp(&mine, sizeof(mine), warp) == 32);
  const int lane = static_cast<int>(Context().thread.x) % 32;
  for (int i = 0; i < 4; ++i) {
    const int row = lane / 4 + 8 * (i / 2);
    const int column = 2 * (lane % 4) + i % 2;
    for (int k = 0; k < 16; ++k) d[i] += ElementOfA(warp, row, k) * ElementOfB(warp, k, column);
  }
}

void LoadTiles(uint32_t (&tiles)[4], const void* shared_row, bool transposed) {
  struct Row {
    uint16_t elements[8];
  };
  M3_CHECK(reinterpret_cast<uintptr_t>(shared_row) % sizeof(Row) == 0);
  Row mine;
  std::memcpy(&mine, shared_row, sizeof(mine));
  Row rows[32];
  M3_CHECK(ExchangeInWarp(&mine, sizeof(mine), rows) == 32);
  const int lane = static_cast<int>(Context().thread.x) % 32;
  const int major = lane / 4;
  const int minor = 2 * (lane % 4);
  for (int tile = 0; tile < 4; ++tile) {
    const Row* row = rows + 8 * tile;
    const uint32_t low = transposed ? row[minor].elements[major] : row[major].elements[minor];
    const uint32_t high =
        transposed ? row[minor + 1].elements[major] : row[major].elements[minor + 1];
    tiles[tile] = low | high << 16;
  }
}

void StartCopy16(void* shared, const void* global, bool valid) {
  M3_CHECK(reinterpret_cast<uintptr_t>(shared) % 16 == 0);
  M3_CHECK(!valid || reinterpret_cast<uintptr_t>(global) % 16 == 0);
  RunningCopies().open.push_back({shared, valid ? global : nullptr});
}

void CloseCopyGroup() {
  ThreadCopies& copies = RunningCopies();
  copies.groups.push_back(std::move(copies.open));
  copies.open.clear();
}

void FinishCopyGroups(int pending) {
  ThreadCopies& copies = RunningCopies();
  while (static_cast<int>(copies.groups.size()) > pending) {
    for (const Copy16& copy : copies.groups.front()) {
      if (copy.from == nullptr) {
        std::memset(copy.to, 0, 16);
      } else {
        std::memcpy(copy.to, copy.from, 16);
      }
    }
    copies.groups.pop_front();
  }
}

}  // namespace memory3::cuda::host
