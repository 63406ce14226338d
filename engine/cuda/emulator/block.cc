#include "engine/cuda/emulator/block.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "engine/cuda/emulator/fail.h"

namespace memory3::cuda::emulator {

// The same orders in every run of a program.
std::mt19937_64& RandomOrder() {
  static std::mt19937_64 random(1);
  return random;
}

Block::Block(const Launch& launch, uint64_t number)
    : launch_(launch), shared_(launch.shared_bytes) {
  const Index3 index = {static_cast<uint32_t>(number % launch.grid.x),
                        static_cast<uint32_t>(number / launch.grid.x % launch.grid.y),
                        static_cast<uint32_t>(number / launch.grid.x / launch.grid.y)};
  const int warps = static_cast<int>((launch.threads + kLanes - 1) / kLanes);
  for (int i = 0; i < warps; ++i) warps_.emplace_back(launch, shared_, index, i);
}

void Block::Run(bool previous_runs) {
  std::vector<int> order(warps_.size());
  std::iota(order.begin(), order.end(), 0);
  do {
    std::shuffle(order.begin(), order.end(), RandomOrder());
    for (const int warp : order) warps_[warp].Run(previous_runs);
  } while (PassBarrier());
  SetRunning(nullptr, nullptr);
  if (previous_runs || !launch_.overlaps) return;
  for (const Warp& warp : warps_) {
    SetRunning(&warp, nullptr);
    if (!warp.has_waited()) Fail("a kernel that may overlap does not wait for the previous one");
  }
  SetRunning(nullptr, nullptr);
}

// Warps that have ended count as arrived.
bool Block::PassBarrier() {
  bool some = false;
  for (const Warp& warp : warps_) {
    if (warp.state() == Warp::State::kAtGridWait) return false;
    some = some || warp.state() == Warp::State::kAtBlockBarrier;
  }
  if (!some) return false;
  shared_.PassBarrier();
  for (Warp& warp : warps_) {
    if (warp.state() == Warp::State::kAtBlockBarrier) warp.PassBarrier();
  }
  return true;
}

bool Block::let_next_start() const {
  return std::all_of(warps_.begin(), warps_.end(),
                     [](const Warp& warp) { return warp.let_next_start(); });
}

}  // namespace memory3::cuda::emulator
