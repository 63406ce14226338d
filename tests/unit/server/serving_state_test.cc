#include "server/serving_state.h"

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "server/served_model.h"
#include "tests/unit/engine/engine_harness.h"

namespace memory3 {
namespace {

TEST(ServingStateTest, ALostDeviceIsNotLiveUntilAStepSucceeds) {
  EngineHarness harness;
  absl::Status outcome = absl::InternalError("device lost");  // written while no step runs
  harness.runner->before_run = [&](const Batch&) { return outcome; };
  harness.Start();
  ServedModel model;
  model.engine = std::move(harness.engine);
  ServingState state(absl::Hours(1));
  EXPECT_TRUE(state.Live(absl::Now()));  // while loading
  state.SetServing(&model);
  const auto ask = [&] {
    const Generation generation = *model.engine->Submit(MakeRequest({'a'}, 1));
    return ReadAll(*generation.stream).last.status.code();
  };

  for (int step = 1; step <= kFailedStepsNotLive; ++step) {
    EXPECT_TRUE(state.Live(absl::Now())) << step;
    EXPECT_EQ(ask(), absl::StatusCode::kInternal);
  }
  EXPECT_FALSE(state.Live(absl::Now()));
  EXPECT_TRUE(state.Ready());  // a restart is for liveness to ask for

  outcome = absl::OkStatus();
  EXPECT_EQ(ask(), absl::StatusCode::kOk);
  EXPECT_TRUE(state.Live(absl::Now()));
}

}  // namespace
}  // namespace memory3
