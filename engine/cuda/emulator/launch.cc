#include "engine/cuda/emulator/launch.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "engine/cuda/emulator/block.h"

namespace memory3::cuda::emulator {
namespace {

// Blocks of a kernel that begin in the shadow of the one in front.
constexpr int kEarlyBlocks = 3;

}  // namespace

KernelRun::KernelRun(std::shared_ptr<const Launch> launch) : launch_(std::move(launch)) {
  waiting_.resize(uint64_t{launch_->grid.x} * launch_->grid.y * launch_->grid.z);
  std::iota(waiting_.begin(), waiting_.end(), 0);
  std::shuffle(waiting_.begin(), waiting_.end(), RandomOrder());
  if (launch_->counters == nullptr) return;
  launch_->counters->launches += 1;
  launch_->counters->blocks += static_cast<int64_t>(waiting_.size());
}

KernelRun::~KernelRun() = default;

std::unique_ptr<Block> KernelRun::NextBlock() {
  const uint64_t number = waiting_.back();
  waiting_.pop_back();
  return std::make_unique<Block>(*launch_, number);
}

void KernelRun::StartSome() {
  while (static_cast<int>(started_.size()) < kEarlyBlocks && !waiting_.empty()) {
    started_.push_back(NextBlock());
    started_.back()->Run(/*previous_runs=*/true);
  }
}

bool KernelRun::LetsNextStart() const {
  return !started_.empty() &&
         std::all_of(started_.begin(), started_.end(),
                     [](const std::unique_ptr<Block>& block) { return block->let_next_start(); });
}

void KernelRun::Finish() {
  for (std::unique_ptr<Block>& block : started_) {
    block->Run(/*previous_runs=*/false);
    block.reset();
  }
  while (!waiting_.empty()) NextBlock()->Run(/*previous_runs=*/false);
}

}  // namespace memory3::cuda::emulator
