// Opens many streams from several threads and leaves them at random moments.
#ifndef MEMORY3_TESTS_UNIT_ENGINE_ENGINE_CHURN_H_
#define MEMORY3_TESTS_UNIT_ENGINE_ENGINE_CHURN_H_

#include <atomic>
#include <functional>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "engine/engine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/engine/engine_harness.h"

namespace memory3 {

struct ChurnOptions {
  int threads = 4;
  int streams = 10'000;      // opened, all threads together
  int open_per_thread = 12;  // at most, at a time
  int max_prompt = 30;
  int max_tokens = 20;
  // Changes a request before it is submitted; called by several threads.
  std::function<void(std::mt19937&, GenerationRequest&)> change;
};

// One caller's share of the streams; several are open at a time.
inline void ChurnThread(Engine& engine, const ChurnOptions& options, uint32_t seed,
                        std::atomic<int>& opened) {
  std::mt19937 random(seed);
  std::vector<Generation> open;
  while (opened.fetch_add(1) < options.streams) {
    GenerationRequest request =
        MakeRequest(std::vector<int32_t>(1 + random() % options.max_prompt, 'x'),
                    1 + static_cast<int>(random() % options.max_tokens));
    request.sampling.seed = random();
    if (random() % 8 == 0) request.deadline = absl::Now() + absl::Microseconds(random() % 2000);
    if (options.change) options.change(random, request);
    absl::StatusOr<Generation> generation = engine.Submit(std::move(request));
    if (!generation.ok()) {
      EXPECT_THAT(generation.status().code(), testing::AnyOf(absl::StatusCode::kResourceExhausted,
                                                             absl::StatusCode::kDeadlineExceeded));
      opened.fetch_sub(1);  // only streams that opened count
    } else {
      open.push_back(*std::move(generation));
      if (random() % 4 == 0) open.back().stream->SetOnReady([] {});
    }
    while (open.size() > static_cast<size_t>(options.open_per_thread) ||
           (!generation.ok() && !open.empty())) {
      const size_t which = random() % open.size();
      const Generation chosen = open[which];
      open.erase(open.begin() + which);
      const uint32_t what = random() % 4;
      if (what == 0) {
        ReadAll(*chosen.stream);
        continue;
      }
      if (what == 1) chosen.stream->Next();
      engine.Cancel(chosen.id);
      if (what == 2) ReadAll(*chosen.stream);
    }
  }
  for (const Generation& generation : open) engine.Cancel(generation.id);
}

// Returns once every caller has left; some of its streams may still be ending.
inline void Churn(Engine& engine, const ChurnOptions& options, uint32_t seed) {
  std::atomic<int> opened = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < options.threads; ++i) {
    callers.emplace_back([&, i] { ChurnThread(engine, options, seed + i, opened); });
  }
  for (std::thread& caller : callers) caller.join();
}

}  // namespace memory3

#endif  // MEMORY3_TESTS_UNIT_ENGINE_ENGINE_CHURN_H_
