// A step sees the memories that were filled before it, and no others, in every order in which the
// streams may run.
#include "engine/cuda/device_memories.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "engine/base/bfloat16.h"
#include "engine/cuda/host/executor.h"
#include "tests/unit/cuda/kernel_test_support.h"

namespace memory3::cuda {
namespace {

constexpr int kSlots = 3;

MemoriesShape Shape(DType dtype) {
  return {.record = {2, 2, 3, 4, dtype},
          .layers = {1, 3},
          .model_layers = 4,
          .prefix_tokens = 5,
          .slots = kSlots};
}

// A memory whose elements are all `value`.
std::shared_ptr<MemoryTensor> Memory(const MemoryShape& shape, float value, int tokens) {
  auto memory = NewMemoryTensor(shape);
  memory->tokens = tokens;
  for (int64_t i = 0; i < shape.layers * shape.layer_elements(); ++i) {
    if (shape.dtype == DType::kF32) {
      reinterpret_cast<float*>(memory->bytes.data())[i] = value;
    } else {
      reinterpret_cast<uint16_t*>(memory->bytes.data())[i] = ToBfloat16(value);
    }
  }
  return memory;
}

class DeviceMemoriesTest : public testing::TestWithParam<host::StreamOrder> {
 protected:
  DeviceMemoriesTest() { host::SetStreamOrder(GetParam()); }
  ~DeviceMemoriesTest() override { host::SetStreamOrder(host::StreamOrder::kEager); }
};

// Steps copy what they see of every slot; fills go on between them.
template <typename T>
void RunSteps(DType record) {
  const MemoriesShape shape = Shape(record);
  auto memories = DeviceMemories<T>::Create(shape);
  ASSERT_TRUE(memories.ok()) << memories.status();
  EXPECT_EQ(memories->memory_layer(1), 0);
  EXPECT_EQ(memories->memory_layer(2), -1);
  EXPECT_EQ(memories->layer(2).slots, nullptr);
  const uint32_t seed = std::random_device{}();
  std::mt19937 random(seed);
  constexpr int kSteps = 40;
  const int64_t seen = shape.record.layer_elements();
  const int64_t stride = shape.record.layers * seen;
  TestArray<T> out(kSteps * kSlots * seen);
  TestArray<int32_t> tokens(kSteps * kSlots);
  std::vector<std::pair<float, int>> expected;  // of every (step, slot): value, tokens
  std::vector<std::pair<float, int>> now(kSlots, {0.0f, 0});
  Stream stream = NewStream();
  for (int step = 0; step < kSteps; ++step) {
    for (int slot = 0; slot < kSlots; ++slot) {
      if (step > 0 && random() % 2 == 0) continue;
      now[slot] = {static_cast<float>(random() % 100), 1 + static_cast<int>(random() % 3)};
      const auto memory = Memory(shape.record, now[slot].first, now[slot].second);
      ASSERT_TRUE(memories->Fill(slot, *memory).ok());
      EXPECT_EQ(memories->slot_tokens()[slot], now[slot].second);
    }
    const std::vector<MemorySlot> slots = {2, 0, 1};
    const std::vector<RowMemories> sets = {{0, slots}};
    Batch batch;
    batch.sequences.push_back({.use_memory = true, .memories = sets});
    memories->BeginStep(stream, batch);
    const MemoryLayer<T> layer = memories->layer(3);
    for (int slot = 0; slot < kSlots; ++slot) {
      const int at = step * kSlots + slot;
      EXPECT_EQ(layer.slot_stride, stride);
      stream.CopyOnDevice(out.device() + at * seen, layer.slots + slot * stride, seen * sizeof(T));
      stream.CopyOnDevice(tokens.device() + at, layer.slot_tokens + slot, sizeof(int32_t));
      expected.push_back(now[slot]);
    }
    memories->EndStep(stream);
    // A runner has collected a step before it enqueues the one after the next.
    if (step % kMaxStepsInFlight == kMaxStepsInFlight - 1) {
      ASSERT_TRUE(stream.Synchronize().ok());
    }
  }
  ASSERT_TRUE(stream.Synchronize().ok());
  const std::vector<T> got = out.Download();
  const std::vector<int32_t> got_tokens = tokens.Download();
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(got_tokens[i], expected[i].second) << "seed " << seed;
    for (int64_t j = 0; j < seen; ++j) {
      ASSERT_EQ(ToFloat(got[i * seen + j]), expected[i].first)
          << "step " << i / kSlots << " seed " << seed;
    }
  }
}

TEST_P(DeviceMemoriesTest, AStepSeesWhatWasFilledBeforeIt) {
  RunSteps<float>(DType::kF32);
  RunSteps<BFloat16>(DType::kBF16);
}
TEST_P(DeviceMemoriesTest, RecordsOfTheOtherTypeAreConverted) {
  RunSteps<float>(DType::kBF16);
  RunSteps<BFloat16>(DType::kF32);
}

TEST_P(DeviceMemoriesTest, ThePrefixOfEveryLayerIsCutOutOfItsBlocks) {
  MemoriesShape shape = Shape(DType::kF32);
  shape.prefix_tokens = 37;
  auto memories = DeviceMemories<float>::Create(shape);
  ASSERT_TRUE(memories.ok());
  const KvShape kv = {shape.model_layers, shape.record.kv_heads, shape.record.head_dim, 16};
  auto cache = KvCache<float>::Create(kv, 3);
  ASSERT_TRUE(cache.ok());
  std::vector<float> values(cache->bytes() / sizeof(float));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  Stream stream = NewStream();
  stream.CopyToDevice(cache->layer(0).keys, values.data(), cache->bytes());
  memories->SetPrefix(stream, *cache);
  ASSERT_TRUE(stream.Synchronize().ok());
  for (int layer = 0; layer < shape.model_layers; ++layer) {
    for (int head = 0; head < shape.record.kv_heads; ++head) {
      for (int i = 0; i < shape.prefix_tokens * kv.head_dim; ++i) {
        const int token = i / kv.head_dim;
        const int64_t at = int64_t{head} * shape.prefix_tokens * kv.head_dim + i;
        const int64_t from = token / 16 * kv.block_elements() + head * kv.head_elements() +
                             token % 16 * kv.head_dim + i % kv.head_dim;
        EXPECT_EQ(memories->layer(layer).prefix_keys[at], cache->layer(layer).keys[from]);
        EXPECT_EQ(memories->layer(layer).prefix_values[at], cache->layer(layer).values[from]);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Orders, DeviceMemoriesTest,
                         testing::Values(host::StreamOrder::kEager, host::StreamOrder::kLazy));

}  // namespace
}  // namespace memory3::cuda
