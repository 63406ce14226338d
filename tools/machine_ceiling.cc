#include "tools/machine_ceiling.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "engine/base/aligned_buffer.h"
#include "engine/base/cpu_count.h"
#include "engine/base/thread_pool.h"
#include "tools/peak_loops.h"

namespace memory3 {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kMeasuringTime = std::chrono::milliseconds(900);
// Many times any cache: a pass reads the part of it that was read longest ago.
constexpr int64_t kReadBytes = int64_t{512} << 20;
// All threads together. About as long as one matrix product, so that the scheduler interrupts as
// little of either: with longer passes, products on a busy machine seem faster than its memory.
constexpr int64_t kReadPassBytes = int64_t{32} << 20;
// A few milliseconds of arithmetic: long beside the start of a pass, short beside a neighbour's
// time slice.
constexpr int64_t kPeakLoops = 1'000'000;

// Runs body(thread, pass) on all threads at once, again and again; the seconds of the fastest pass.
// On the same kind of pool as the products it is compared with, so that both meet the scheduler
// alike.
template <typename Body>
double FastestPass(ThreadPool& pool, const Body& body) {
  double fastest = 1e30;
  int64_t pass = 0;
  const Clock::time_point end = Clock::now() + kMeasuringTime;
  for (Clock::time_point began = Clock::now(); began < end; began = Clock::now(), ++pass) {
    pool.Run([&](int thread, int) { body(thread, pass); });
    fastest = std::min(fastest, std::chrono::duration<double>(Clock::now() - began).count());
  }
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

double MeasureRead(ThreadPool& pool) {
  const int threads = pool.threads();
  constexpr int64_t kVectorBytes = sizeof(Vector);
  constexpr int64_t kBlockBytes = kVectorsPerBlock * kVectorBytes;
  const int64_t per_pass =
      std::max<int64_t>(1, kReadPassBytes / kBlockBytes / threads) * kVectorsPerBlock;
  const int64_t passes = std::max<int64_t>(1, kReadBytes / kVectorBytes / per_pass / threads);
  AlignedBuffer buffer(passes * per_pass * threads * kVectorBytes);
  const auto* vectors = reinterpret_cast<const Vector*>(buffer.data());
  std::atomic<uint64_t> sink{0};  // keeps the reads alive
  const double seconds = FastestPass(pool, [&](int thread, int64_t pass) {
    const int64_t begin = (pass % passes * threads + thread) * per_pass;
    sink.fetch_or(ReadAll(vectors + begin, per_pass));
  });
  return static_cast<double>(per_pass * threads * kVectorBytes) / seconds;
}

double MeasurePeak(ThreadPool& pool) {
  const PeakLoop loop = BestPeakLoop();
  const double seconds = FastestPass(pool, [&](int, int64_t) { loop.run(kPeakLoops); });
  return static_cast<double>(loop.flops_per_loop * kPeakLoops * pool.threads()) / seconds;
}

}  // namespace

MachineCeiling MeasureMachineCeiling(int threads) {
  ThreadPool pool(threads > 0 ? threads : UsableCores());
  MachineCeiling ceiling;
  ceiling.read_bytes_per_second = MeasureRead(pool);
  ceiling.bf16_flops_per_second = MeasurePeak(pool);
  return ceiling;
}

}  // namespace memory3
