#include "engine/cuda/emulator/stream.h"

#include <utility>

namespace memory3::cuda::emulator {
namespace {

// Kernels that may begin in the shadow of one.
constexpr size_t kMostEarlyKernels = 3;

}  // namespace

void Stream::Add(Operation operation) {
  if (capturing_) {
    captured_.push_back(std::move(operation));
    return;
  }
  waiting_.push_back({std::move(operation), nullptr});
  ++added_;
}

void Stream::RunUpTo(uint64_t mark) {
  while (run_ < mark) RunFirst();
}

bool Stream::RunOne() {
  if (run_ < added_) RunFirst();
  return run_ < added_;
}

void Stream::RunFirst() {
  if (waiting_.front().operation.kernel == nullptr) {
    // It stays in the queue while it runs: it may have to wait for other streams.
    waiting_.front().operation.run();
  } else {
    StartBehindFirst();
    waiting_.front().kernel->Finish();
  }
  waiting_.pop_front();
  ++run_;
}

void Stream::StartBehindFirst() {
  for (size_t i = 0; i < waiting_.size() && i <= kMostEarlyKernels; ++i) {
    Waiting& waiting = waiting_[i];
    const std::shared_ptr<const Launch>& kernel = waiting.operation.kernel;
    if (kernel == nullptr || (i > 0 && !kernel->overlaps)) return;
    if (waiting.kernel == nullptr) waiting.kernel = std::make_unique<KernelRun>(kernel);
    waiting.kernel->StartSome();
    if (!waiting.kernel->LetsNextStart()) return;
  }
}

std::vector<Operation> Stream::EndCapture() {
  capturing_ = false;
  return std::exchange(captured_, {});
}

}  // namespace memory3::cuda::emulator
