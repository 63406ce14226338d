#include "engine/cuda/emulator/warp.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "engine/cuda/emulator/fail.h"

namespace memory3::cuda::emulator {
namespace {

uint32_t LanesWhere(const uint64_t* values, uint32_t lanes) {
  uint32_t set = 0;
  ForLanes(lanes, [&](int lane) { set |= uint32_t{values[lane] != 0} << lane; });
  return set;
}

}  // namespace

Warp::Warp(const Launch& launch, SharedMemory& shared, Index3 block, int number)
    : launch_(launch),
      shared_(shared),
      block_(block),
      number_(number),
      values_(std::make_unique_for_overwrite<uint64_t[]>(
          static_cast<size_t>(launch.function->registers) * kLanes)) {
  const int threads = std::min(kLanes, static_cast<int>(launch.threads) - number * kLanes);
  all_ = live_ = threads == kLanes ? kAllLanes : (1u << threads) - 1;
  FillConstants();
}

void Warp::FillConstants() {
  for (const auto& [number, value] : launch_.function->constants) {
    std::fill_n(lanes(number), kLanes, value);
  }
  for (const auto& [number, special] : launch_.function->specials) {
    for (int lane = 0; lane < kLanes; ++lane) lanes(number)[lane] = SpecialOf(special, lane);
  }
}

uint64_t Warp::SpecialOf(Special special, int lane) const {
  switch (special) {
    case Special::kThreadX:
      return ThreadOf(lane);
    case Special::kBlockX:
      return block_.x;
    case Special::kBlockY:
      return block_.y;
    case Special::kBlockZ:
      return block_.z;
    case Special::kThreadsX:
      return launch_.threads;
    case Special::kBlocksX:
      return launch_.grid.x;
    case Special::kBlocksY:
      return launch_.grid.y;
    case Special::kBlocksZ:
      return launch_.grid.z;
  }
  return 0;
}

Warp::Front Warp::FindFront() {
  Front front{.at = std::numeric_limits<int32_t>::max(),
              .next = std::numeric_limits<int32_t>::max()};
  const bool all_held = (live_ & ~held_) == 0;
  if (all_held) held_ = 0;
  const uint32_t candidates = live_ & ~held_;
  ForLanes(candidates, [&](int lane) { front.at = std::min(front.at, places_[lane]); });
  ForLanes(candidates, [&](int lane) {
    if (places_[lane] == front.at) {
      front.lanes |= 1u << lane;
    } else {
      front.next = std::min(front.next, places_[lane]);
    }
  });
  if (all_held && front.lanes != live_) {
    Fail("the threads of a warp wait for each other in different places");
  }
  return front;
}

void Warp::GoTo(uint32_t lanes, int32_t place) {
  ForLanes(lanes, [&](int lane) { places_[lane] = place; });
}

void Warp::CheckWhole(uint32_t lanes) const {
  if (lanes != all_ || live_ != all_) Fail("not all lanes of a warp reach a warp function");
}

void Warp::Run(bool previous_runs) {
  if (state_ == State::kAtGridWait && !previous_runs) state_ = State::kRunning;
  while (state_ == State::kRunning) {
    if (live_ == 0) {
      state_ = State::kDone;
      return;
    }
    RunFront(FindFront(), previous_runs);
  }
}

void Warp::RunFront(Front front, bool previous_runs) {
  const std::vector<Instruction>& instructions = launch_.function->instructions;
  Counters* const counters = launch_.counters;
  int32_t at = front.at;
  while (at < front.next) {
    const Instruction& instruction = instructions[at];
    SetRunning(this, &instruction);
    uint32_t lanes = front.lanes;
    if (instruction.guard >= 0) {
      const uint32_t set = LanesWhere(this->lanes(instruction.guard), lanes);
      lanes = instruction.guard_negated ? lanes & ~set : set;
    }
    if (instruction.opcode.together && front.lanes != live_) {
      held_ |= front.lanes;
      break;
    }
    if (counters != nullptr) ++counters->instructions;
    switch (instruction.opcode.flow) {
      case Flow::kNext:
        if (lanes != 0) instruction.opcode.execute(*this, instruction, lanes);
        ++at;
        break;
      case Flow::kBranch:
        if (lanes != front.lanes && lanes != 0) {
          GoTo(front.lanes & ~lanes, at + 1);
          GoTo(lanes, instruction.target);
          return;
        }
        at = lanes == 0 ? at + 1 : instruction.target;
        break;
      case Flow::kExit:
        if (lanes == 0) {
          ++at;
          break;
        }
        live_ &= ~lanes;
        GoTo(front.lanes & ~lanes, at + 1);
        return;
      case Flow::kBlockBarrier:
        if (lanes != live_) Fail("a barrier for a part of a warp");
        GoTo(lanes, at + 1);
        state_ = State::kAtBlockBarrier;
        return;
      case Flow::kGridWait:
        if (previous_runs) {
          GoTo(lanes, at);
          state_ = State::kAtGridWait;
          return;
        }
        has_waited_ |= lanes;
        ++at;
        break;
    }
  }
  GoTo(front.lanes, at);
}

}  // namespace memory3::cuda::emulator
