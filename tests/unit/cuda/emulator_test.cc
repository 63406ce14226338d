// The emulated device notices what it is there to notice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cfenv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <random>
#include <vector>

#include "tests/unit/cuda/faulty_kernels.h"
#include "tests/unit/cuda/kernel_test_support.h"

namespace memory3::cuda {
namespace {

Buffer Allocate(Buffer::Kind kind, int64_t bytes) {
  absl::StatusOr<Buffer> buffer = Buffer::Allocate(kind, bytes);
  EXPECT_TRUE(buffer.ok()) << buffer.status();
  return *std::move(buffer);
}

class EmulatorTest : public testing::Test {
 protected:
  static constexpr int64_t kBytes = kFaultyThreads * sizeof(int32_t);

  EmulatorTest() {
    std::iota(host_.data<int32_t>(), host_.data<int32_t>() + kFaultyThreads, 0);
    stream_.CopyToDevice(in_.data(), host_.data(), kBytes);
  }

  absl::Status Run(Fault fault) {
    LaunchFaulty(stream_, fault, in_.data<int32_t>(), out_.data<int32_t>());
    stream_.CopyToHost(host_.data(), out_.data(), kBytes);
    return stream_.Synchronize();
  }
  // The word at the beginning of `buffer`.
  int32_t FirstOf(const Buffer& buffer) {
    stream_.CopyToHost(host_.data(), buffer.data(), sizeof(int32_t));
    EXPECT_TRUE(stream_.Synchronize().ok());
    return host_.data<int32_t>()[0];
  }

  Stream stream_ = NewStream();
  Buffer in_ = Allocate(Buffer::Kind::kDevice, kBytes);
  Buffer out_ = Allocate(Buffer::Kind::kDevice, kBytes);
  Buffer host_ = Allocate(Buffer::Kind::kPinned, kBytes);
};
using EmulatorDeathTest = EmulatorTest;

TEST_F(EmulatorTest, RunsWhatTheCompilerMade) {
  ASSERT_TRUE(Run(Fault::kNone).ok());
  for (int i = 0; i < kFaultyThreads; ++i) {
    EXPECT_EQ(host_.data<int32_t>()[i], kFaultyThreads - 1 - i);
  }
}

TEST_F(EmulatorDeathTest, NamesTheFaultsOfKernels) {
  constexpr struct {
    Fault fault;
    const char* message;
  } kFaults[] = {
      // Nobody has written, or another thread has, whoever is first.
      {Fault::kNoBarrier, "shared memory is read that"},
      {Fault::kNobodyWrote, "shared memory is read that nobody wrote"},
      {Fault::kBeyondShared, "shared memory beyond what the launch asked for"},
      {Fault::kBeyondGlobal, "global memory that is not allocated"},
      {Fault::kNotAligned, "an address in global memory is not aligned"},
      {Fault::kCopyNotAwaited, "read while a copy to it is on its way"},
      {Fault::kHalfAWarpShuffles, "not all lanes of a warp reach a warp function"},
      {Fault::kLanesWaitApart, "wait for each other in different places"},
  };
  for (const auto& [fault, message] : kFaults) {
    SCOPED_TRACE(message);
    EXPECT_DEATH(Run(fault).IgnoreError(),
                 testing::AllOf(testing::HasSubstr(message), testing::HasSubstr("FaultyKernel")));
  }
}

TEST_F(EmulatorTest, KernelsBeginInTheShadowOfTheOneBefore) {
  stream_.OverlapKernels(true);
  stream_.Fill(in_.data(), 0, kBytes);
  LaunchStore(stream_, 7, in_.data<int32_t>());
  LaunchReader(stream_, Reader::kWaits, in_.data<int32_t>(), out_.data<int32_t>());
  EXPECT_EQ(FirstOf(out_), 7);
  LaunchStore(stream_, 8, in_.data<int32_t>());
  LaunchReader(stream_, Reader::kReadsBeforeItWaits, in_.data<int32_t>(), out_.data<int32_t>());
  EXPECT_EQ(FirstOf(out_), 7) << "what was there before";
  // One further back.
  LaunchStore(stream_, 9, in_.data<int32_t>());
  LaunchStore(stream_, 0, out_.data<int32_t>());
  LaunchReader(stream_, Reader::kReadsBeforeItWaits, in_.data<int32_t>(), out_.data<int32_t>());
  EXPECT_EQ(FirstOf(out_), 8);
  // Without leave nobody begins early.
  stream_.OverlapKernels(false);
  LaunchStore(stream_, 10, in_.data<int32_t>());
  LaunchReader(stream_, Reader::kReadsBeforeItWaits, in_.data<int32_t>(), out_.data<int32_t>());
  EXPECT_EQ(FirstOf(out_), 10);
}

TEST_F(EmulatorDeathTest, KernelsThatOverlapWait) {
  stream_.OverlapKernels(true);
  const auto run = [&] {
    LaunchReader(stream_, Reader::kNeverWaits, in_.data<int32_t>(), out_.data<int32_t>());
    stream_.Synchronize().IgnoreError();
  };
  EXPECT_DEATH(run(), "does not wait for the previous one");
}

TEST_F(EmulatorTest, StreamsRunAsLateAsEventsAllow) {
  Stream other = NewStream();
  absl::StatusOr<Event> stored = Event::Create();
  ASSERT_TRUE(stored.ok());
  stream_.Fill(in_.data(), 0, kBytes);
  ASSERT_TRUE(stream_.Synchronize().ok());
  LaunchStore(other, 5, in_.data<int32_t>());
  stored->Record(other);
  EXPECT_EQ(FirstOf(in_), 0);
  EXPECT_FALSE(stored->Done());
  stream_.Wait(*stored);
  EXPECT_EQ(FirstOf(in_), 5);
  EXPECT_TRUE(stored->Done());
}

TEST_F(EmulatorTest, GraphsReplayAndRefuseWhatTheyCannotHold) {
  absl::StatusOr<Graph> graph = Graph::Capture(stream_, [&] {
    LaunchFaulty(stream_, Fault::kNone, in_.data<int32_t>(), out_.data<int32_t>());
    stream_.CopyOnDevice(in_.data(), out_.data(), kBytes);
  });
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(FirstOf(in_), 0);
  graph->Launch(stream_);
  EXPECT_EQ(FirstOf(in_), kFaultyThreads - 1);
  graph->Launch(stream_);
  EXPECT_EQ(FirstOf(in_), 0);

  const absl::StatusOr<Graph> allocates = Graph::Capture(
      stream_, [] { Buffer::Allocate(Buffer::Kind::kDevice, 256).status().IgnoreError(); });
  EXPECT_FALSE(allocates.ok());
  const absl::StatusOr<Graph> waits =
      Graph::Capture(stream_, [&] { stream_.Synchronize().IgnoreError(); });
  EXPECT_FALSE(waits.ok());
  std::vector<int32_t> pageable(kFaultyThreads);
  const absl::StatusOr<Graph> copies =
      Graph::Capture(stream_, [&] { stream_.CopyToDevice(in_.data(), pageable.data(), kBytes); });
  EXPECT_FALSE(copies.ok());
  EXPECT_EQ(FirstOf(in_), 0) << "the stream is as before";
}

TEST_F(EmulatorTest, RefusesWhatADeviceRefuses) {
  EXPECT_FALSE(Buffer::Allocate(Buffer::Kind::kDevice, int64_t{1} << 40).ok());
  stream_.CopyOnDevice(out_.data(), in_.data(), kBytes + 1);
  EXPECT_FALSE(stream_.Synchronize().ok());
  stream_.Fill(host_.data(), 0, kBytes);
  EXPECT_FALSE(stream_.Synchronize().ok()) << "not device memory";
  EXPECT_TRUE(stream_.Synchronize().ok());
}

float RoundedDown(float a, float b, float c) {
  // Volatile: computed here, under this rounding.
  volatile double product = static_cast<double>(a) * b;  // exact
  std::fesetround(FE_DOWNWARD);
  volatile float result = 0;
  // The exact sum has more bits than a double only where the smaller one cannot matter but for its
  // sign: rounding twice in the same direction is rounding once.
  volatile double sum = product + c;
  result = static_cast<float>(sum);
  std::fesetround(FE_TONEAREST);
  return result;
}

uint32_t Bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

// Instructions with rules of their own, against other ways to say them.
TEST_F(EmulatorTest, SpecialInstructions) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  TestArray<uint32_t> a(kFaultyThreads), b(kFaultyThreads), c(kFaultyThreads);
  for (int i = 0; i < kFaultyThreads; ++i) {
    a.host[i] = Bits(normal(random));
    b.host[i] = Bits(normal(random));
    c.host[i] = Bits(normal(random) * (i % 2 == 0 ? 1.0f : 1e-6f));
  }
  for (TestArray<uint32_t>* array : {&a, &b, &c}) array->Upload();
  TestArray<SpecialResults> out(kFaultyThreads);
  LaunchSpecial(stream_, a.device(), b.device(), c.device(), out.device());
  ASSERT_TRUE(stream_.Synchronize().ok());
  const std::vector<SpecialResults> results = out.Download();
  const auto value = [](uint32_t bits) {
    float number;
    std::memcpy(&number, &bits, sizeof(number));
    return number;
  };
  for (int i = 0; i < kFaultyThreads; ++i) {
    const uint32_t x = a.host[i];
    const uint32_t y = b.host[i];
    const uint32_t z = c.host[i];
    EXPECT_EQ(results[i].fma_down, Bits(RoundedDown(value(x), value(y), value(z))));
    uint32_t inserted = y;
    for (uint32_t bit = 0; bit < x % 33 && bit + z % 32 < 32; ++bit) {
      const uint32_t at = bit + z % 32;
      inserted = (inserted & ~(1u << at)) | (x >> bit & 1) << at;
    }
    EXPECT_EQ(results[i].insert_bits, inserted);
    uint8_t bytes[8];
    std::memcpy(bytes, &x, 4);
    std::memcpy(bytes + 4, &y, 4);
    for (int byte = 0; byte < 4; ++byte) {
      EXPECT_EQ(results[i].permute_bytes >> (8 * byte) & 0xFF, bytes[z >> (4 * byte) & 7]);
    }
  }
}

}  // namespace
}  // namespace memory3::cuda
