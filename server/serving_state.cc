#include "server/serving_state.h"

#include "absl/status/status.h"
#include "common/status_details.h"

namespace memory3 {

absl::StatusOr<const ServedModel*> ServingState::ModelForGeneration() const {
  if (draining()) {
    return WithRetryDelay(absl::UnavailableError("the server is shutting down"),
                          kRetryWhenNotServing);
  }
  return ModelForLookup();
}

absl::StatusOr<const ServedModel*> ServingState::ModelForLookup() const {
  const ServedModel* model = model_.load(std::memory_order_acquire);
  if (model == nullptr) {
    return WithRetryDelay(absl::UnavailableError("the model is still being loaded"),
                          kRetryWhenNotServing);
  }
  return model;
}

bool ServingState::Ready() const {
  return model_.load(std::memory_order_acquire) != nullptr && !draining();
}

bool ServingState::Live(absl::Time now) const {
  const std::optional<EngineSnapshot> snapshot = Snapshot();
  if (!snapshot.has_value()) return true;
  if (snapshot->failed_steps >= kFailedStepsNotLive) return false;
  const bool has_work = snapshot->queued + snapshot->running > 0;
  return !has_work || now - snapshot->heartbeat <= stuck_after_;
}

std::optional<EngineSnapshot> ServingState::Snapshot() const {
  const ServedModel* model = model_.load(std::memory_order_acquire);
  if (model == nullptr) return std::nullopt;
  return model->engine->Snapshot();
}

}  // namespace memory3
