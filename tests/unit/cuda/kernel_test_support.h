// What kernel tests share: arrays that exist in host and device memory, random fills, comparison of
// a kernel's result with its twin's. The same tests run with the executor and, in a CUDA build, on
// a device.
#ifndef MEMORY3_TESTS_UNIT_CUDA_KERNEL_TEST_SUPPORT_H_
#define MEMORY3_TESTS_UNIT_CUDA_KERNEL_TEST_SUPPORT_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "engine/cuda/platform/element.h"
#include "engine/cuda/platform/runtime.h"

namespace memory3::cuda {

inline Stream NewStream() {
  absl::StatusOr<Stream> stream = Stream::Create();
  EXPECT_TRUE(stream.ok()) << stream.status();
  return *std::move(stream);
}

// A host vector and device memory of the same size, `guard` elements longer at its end: what a
// kernel writes beyond its output is noticed by GuardsIntact.
template <typename T>
class TestArray {
 public:
  explicit TestArray(int64_t size, T value = T{}) : host(size, value) {
    absl::StatusOr<Buffer> buffer =
        Buffer::Allocate(Buffer::Kind::kDevice, (size + kGuard) * sizeof(T));
    EXPECT_TRUE(buffer.ok()) << buffer.status();
    device_ = *std::move(buffer);
    Stream stream = NewStream();
    stream.Fill(device_.data(), 0xA5, device_.bytes());
    EXPECT_TRUE(stream.Synchronize().ok());
    Upload();
  }

  void Upload() {
    Stream stream = NewStream();
    stream.CopyToDevice(device(), host.data(), host.size() * sizeof(T));
    EXPECT_TRUE(stream.Synchronize().ok());
  }
  // The device's content; host stays as it is.
  std::vector<T> Download() const {
    std::vector<T> values(host.size() + kGuard);
    Stream stream = NewStream();
    stream.CopyToHost(values.data(), device(), values.size() * sizeof(T));
    EXPECT_TRUE(stream.Synchronize().ok());
    const auto* guard = reinterpret_cast<const uint8_t*>(values.data() + host.size());
    EXPECT_TRUE(std::all_of(guard, guard + kGuard * sizeof(T), [](uint8_t b) { return b == 0xA5; }))
        << "the kernel wrote beyond its output";
    values.resize(host.size());
    return values;
  }
  T* device() const { return device_.data<T>(); }

  std::vector<T> host;

 private:
  static constexpr int64_t kGuard = 64;
  Buffer device_;
};

template <typename T>
void FillNormal(std::mt19937_64& random, TestArray<T>& array, float deviation = 1.0f) {
  std::normal_distribution<float> normal(0.0f, deviation);
  for (T& value : array.host) value = FromFloat<T>(normal(random));
  array.Upload();
}

// Largest |a - b| / (1 + |b|); not finite where either is not.
template <typename T>
float LargestError(const std::vector<T>& actual, const std::vector<T>& expected) {
  EXPECT_EQ(actual.size(), expected.size());
  float largest = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const float a = ToFloat(actual[i]);
    const float b = ToFloat(expected[i]);
    const float error = std::abs(a - b) / (1 + std::abs(b));
    if (!(error <= largest)) largest = error;
  }
  return largest;
}

// What rounding the result to T, after sums in another order, may differ by.
template <typename T>
constexpr float RoundingTolerance() {
  return sizeof(T) == 4 ? 2e-5f : 1e-2f;
}

inline int Uniform(std::mt19937_64& random, int low, int high) {
  return std::uniform_int_distribution<int>(low, high)(random);
}

}  // namespace memory3::cuda

#endif  // MEMORY3_TESTS_UNIT_CUDA_KERNEL_TEST_SUPPORT_H_
