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
// Of one pass, all threads together: 32 MiB. About as long as one matrix product, so that the
// scheduler interrupts as little of either: with longer passes, products on a busy machine seem
// faster than its memory.
constexpr int64_t kReadPassBlocks = 128;
// A few milliseconds of arithmetic: long beside the start of a pass, short beside a neighbour's
// time slice.
constexpr int64_t kPeakLoops = 1'000'000;

struct PassTimes {
  double fastest = 1e30;  // seconds
  double mean = 0;
};

// Runs body(thread, pass) on all threads at once, again and again. On the same kind of pool as the
// products it is compared with, so that both meet the scheduler alike.
template <typename Body>
PassTimes TimePasses(ThreadPool& pool, std::chrono::nanoseconds measuring_time, const Body& body) {
  PassTimes times;
  int64_t pass = 0;
  const Clock::time_point first = Clock::now();
  Clock::time_point ended = first;
  while (ended < first + measuring_time) {
    const Clock::time_point began = ended;
    pool.Run([&](int thread, int) { body(thread, pass); });
    ended = Clock::now();
    times.fastest = std::min(times.fastest, std::chrono::duration<double>(ended - began).count());
    ++pass;
  }
  times.mean = std::chrono::duration<double>(ended - first).count() / static_cast<double>(pass);
  return times;
}

typedef uint64_t Vector __attribute__((vector_size(16), may_alias));

// Reads every vector once; `count` is rounded down to whole blocks. One core needs several streams
// to keep its prefetchers busy. They lie an odd number of lines apart, or they would meet in the
// same cache sets.
constexpr int kStreams = 4;
constexpr int64_t kVectorsPerLine = 4;
constexpr int64_t kVectorsPerStream = ((int64_t{1} << 10) + 1) * kVectorsPerLine;
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

// Passes over a buffer that is many times any cache. Threads take block after block, as those of a
// matrix product take panels: one that loses its core for a while holds nobody up.
class ReadPasses {
  static constexpr int64_t kBlockBytes = kVectorsPerBlock * sizeof(Vector);
  static constexpr int64_t kBlocks = kReadBytes / kBlockBytes;

 public:
  explicit ReadPasses(ThreadPool& pool) : pool_(pool), buffer_(kBlocks * kBlockBytes) {}

  static constexpr int64_t kPassBytes = kReadPassBlocks * kBlockBytes;  // all threads together

  PassTimes Run(std::chrono::nanoseconds measuring_time) {
    const auto* vectors = reinterpret_cast<const Vector*>(buffer_.data());
    std::atomic<uint64_t> sink{0};  // keeps the reads alive
    std::atomic<int64_t> next{0};
    return TimePasses(pool_, measuring_time, [&](int, int64_t pass) {
      const int64_t end = (pass + 1) * kReadPassBlocks;
      for (int64_t block = next.load(); block < end;) {
        if (!next.compare_exchange_weak(block, block + 1)) continue;
        sink.fetch_or(ReadAll(vectors + block % kBlocks * kVectorsPerBlock, kVectorsPerBlock));
        ++block;
      }
    });
  }

 private:
  ThreadPool& pool_;
  AlignedBuffer buffer_;
};

double MeasurePeak(ThreadPool& pool) {
  const PeakLoop loop = BestPeakLoop();
  const PassTimes times =
      TimePasses(pool, kMeasuringTime, [&](int, int64_t) { loop.run(kPeakLoops); });
  return static_cast<double>(loop.flops_per_loop * kPeakLoops * pool.threads()) / times.fastest;
}

}  // namespace

MachineCeiling MeasureMachineCeiling(int threads) {
  ThreadPool pool(threads > 0 ? threads : UsableCores());
  MachineCeiling ceiling;
  ReadPasses reads(pool);
  ceiling.read_bytes_per_second = ReadPasses::kPassBytes / reads.Run(kMeasuringTime).fastest;
  ceiling.bf16_flops_per_second = MeasurePeak(pool);
  return ceiling;
}

class SustainedRead::Impl {
 public:
  explicit Impl(int threads) : pool_(threads > 0 ? threads : UsableCores()), reads_(pool_) {}
  double BytesPerSecond(absl::Duration measuring_time) {
    const PassTimes times = reads_.Run(absl::ToChronoNanoseconds(measuring_time));
    return ReadPasses::kPassBytes / times.mean;
  }

 private:
  ThreadPool pool_;
  ReadPasses reads_;
};

SustainedRead::SustainedRead(int threads) : impl_(std::make_unique<Impl>(threads)) {}
SustainedRead::~SustainedRead() = default;
double SustainedRead::BytesPerSecond(absl::Duration measuring_time) {
  return impl_->BytesPerSecond(measuring_time);
}

}  // namespace memory3
