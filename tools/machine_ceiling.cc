#include "tools/machine_ceiling.h"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "engine/base/aligned_buffer.h"
#include "engine/base/cpu_count.h"
#include "tools/peak_loops.h"

namespace memory3 {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kMeasuringTime = std::chrono::milliseconds(900);
// Many times any cache, and a pass about as long as a decode step: what can be had for a
// millisecond between two neighbours is no ceiling.
constexpr int64_t kReadBytes = int64_t{512} << 20;
// A few milliseconds of arithmetic: long beside the start of a pass, short beside a neighbour's
// time slice.
constexpr int64_t kPeakLoops = 1'000'000;

// Runs body(thread) on all threads at once, again and again; the seconds of the fastest pass.
template <typename Body>
double FastestPass(int threads, const Body& body) {
  double fastest = 1e30;
  bool stop = false;  // written by the completion step alone, while every thread waits
  Clock::time_point began;
  const Clock::time_point end = Clock::now() + kMeasuringTime;
  std::barrier start(threads, [&]() noexcept {
    stop = Clock::now() > end;
    began = Clock::now();
  });
  std::barrier finish(threads, [&]() noexcept {
    fastest = std::min(fastest, std::chrono::duration<double>(Clock::now() - began).count());
  });
  const auto work = [&](int thread) {
    while (true) {
      start.arrive_and_wait();
      if (stop) return;
      body(thread);
      finish.arrive_and_wait();
    }
  };
  std::vector<std::thread> others;
  for (int thread = 1; thread < threads; ++thread) others.emplace_back(work, thread);
  work(0);
  for (std::thread& other : others) other.join();
  return fastest;
}

typedef uint64_t Vector __attribute__((vector_size(16), may_alias));

// Reads every vector once; `count` is rounded down to whole blocks. One core needs several streams
// to keep its prefetchers busy. They lie an odd number of lines apart, or they would meet in the
// same cache sets.
constexpr int kStreams = 4;
constexpr int64_t kVectorsPerLine = 4;
constexpr int64_t kVectorsPerStream = ((int64_t{1} << 14) + 1) * kVectorsPerLine;
constexpr int64_t kVectorsPerBlock = kStreams * kVectorsPerStream;

uint64_t ReadAll(const Vector* from, int64_t count) {
  Vector sums[kStreams] = {};
  for (; count >= kVectorsPerBlock; count -= kVectorsPerBlock, from += kVectorsPerBlock) {
    for (int64_t i = 0; i < kVectorsPerStream; i += kVectorsPerLine) {
      for (int s = 0; s < kStreams; ++s) {
        for (int v = 0; v < kVectorsPerLine; ++v) sums[s] |= from[s * kVectorsPerStream + i + v];
      }
    }
  }
  const Vector all = (sums[0] | sums[1]) | (sums[2] | sums[3]);
  return all[0] | all[1];
}

double MeasureRead(int threads) {
  constexpr int64_t kVectorBytes = sizeof(Vector);
  const int64_t blocks =
      std::max<int64_t>(1, kReadBytes / kVectorBytes / kVectorsPerBlock / threads);
  const int64_t share = blocks * kVectorsPerBlock;
  AlignedBuffer buffer(share * threads * kVectorBytes);
  const auto* vectors = reinterpret_cast<const Vector*>(buffer.data());
  std::atomic<uint64_t> sink{0};  // keeps the reads alive
  const double seconds = FastestPass(
      threads, [&](int thread) { sink.fetch_or(ReadAll(vectors + thread * share, share)); });
  return static_cast<double>(share * threads * kVectorBytes) / seconds;
}

double MeasurePeak(int threads) {
  const PeakLoop loop = BestPeakLoop();
  const double seconds = FastestPass(threads, [&](int) { loop.run(kPeakLoops); });
  return static_cast<double>(loop.flops_per_loop * kPeakLoops * threads) / seconds;
}

}  // namespace

MachineCeiling MeasureMachineCeiling(int threads) {
  if (threads <= 0) threads = UsableCores();
  MachineCeiling ceiling;
  ceiling.read_bytes_per_second = MeasureRead(threads);
  ceiling.bf16_flops_per_second = MeasurePeak(threads);
  return ceiling;
}

}  // namespace memory3
