// Whether requests are taken, and by which model: what the services ask first and what health
// answers from. Reads are atomics, so an answer never waits behind traffic. Thread-safe.
#ifndef MEMORY3_SERVER_SERVING_STATE_H_
#define MEMORY3_SERVER_SERVING_STATE_H_

#include <atomic>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/engine.h"
#include "server/served_model.h"

namespace memory3 {

// A step that fails ends the requests of its batch, and the next may well succeed. So many in a row
// mean that the device is lost, which only a new process gets back.
inline constexpr int kFailedStepsNotLive = 3;

class ServingState {
 public:
  // A step that has shown no sign of life for this long counts as stuck.
  explicit ServingState(absl::Duration stuck_after) : stuck_after_(stuck_after) {}

  // After warm-up. `model` must live as long as anyone may ask.
  void SetServing(const ServedModel* model) { model_.store(model, std::memory_order_release); }
  void SetDraining() { draining_.store(true, std::memory_order_release); }

  // Unavailable, with a delay to retry after, while loading and (generation only) while draining.
  absl::StatusOr<const ServedModel*> ModelForGeneration() const;
  absl::StatusOr<const ServedModel*> ModelForLookup() const;

  bool Ready() const;
  // False only when the engine has work and its loop stands still, or its steps keep failing.
  bool Live(absl::Time now) const;
  bool draining() const { return draining_.load(std::memory_order_acquire); }
  std::optional<EngineSnapshot> Snapshot() const;  // nullopt before a model serves

 private:
  const absl::Duration stuck_after_;
  std::atomic<const ServedModel*> model_ = nullptr;
  std::atomic<bool> draining_ = false;
};

}  // namespace memory3

#endif  // MEMORY3_SERVER_SERVING_STATE_H_
