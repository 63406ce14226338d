#include "engine/model/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <random>

#include "engine/base/half.h"
#include "engine/model/safetensors_writer.h"
#include "nlohmann/json.hpp"

namespace memory3 {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

class SafetensorsTest : public testing::Test {
 protected:
  SafetensorsTest()
      : file_(testing::TempDir() + "st" + std::to_string(std::random_device{}()) + ".safetensors") {
  }
  ~SafetensorsTest() override { std::filesystem::remove(file_); }

  static std::string WithLength(const std::string& header, const std::string& data) {
    uint64_t length = header.size();
    return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
  }
  absl::Status Open(const std::string& bytes) {
    std::ofstream(file_, std::ios::binary) << bytes;
    return SafetensorsFile::Open(file_).status();
  }
  // Opening fails, and the message names the file and says all of `words`.
  void ExpectRefused(const std::string& bytes, const std::vector<std::string>& words) {
    const absl::Status status = Open(bytes);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(file_.string()));
    for (const std::string& word : words)
      EXPECT_THAT(std::string(status.message()), HasSubstr(word));
  }
  static json Entry(const std::string& dtype, const json& shape, const json& offsets) {
    return {{"dtype", dtype}, {"shape", shape}, {"data_offsets", offsets}};
  }

  const std::filesystem::path file_;
};

TEST_F(SafetensorsTest, ReadsWhatTheWriterWrote) {
  auto writer =
      SafetensorsWriter::Create(file_, {{"a", DType::kF32, {2, 3}}, {"b", DType::kBF16, {4}}});
  ASSERT_TRUE(writer.ok()) << writer.status();
  const float a[] = {1, 2, 3, -4, 5.5, 1e-30f};
  const uint16_t b[] = {0x3F80, 0xBF80, 0x4000, 0x0001};
  EXPECT_FALSE(std::filesystem::exists(file_)) << "must appear whole or not at all";
  ASSERT_TRUE(writer->Append({reinterpret_cast<const uint8_t*>(a), 10}).ok());
  ASSERT_TRUE(writer->Append({reinterpret_cast<const uint8_t*>(a) + 10, sizeof(a) - 10}).ok());
  ASSERT_TRUE(writer->Append({reinterpret_cast<const uint8_t*>(b), sizeof(b)}).ok());
  EXPECT_FALSE(writer->Append({reinterpret_cast<const uint8_t*>(b), 1}).ok());
  ASSERT_TRUE(writer->Finish().ok());

  const auto file = SafetensorsFile::Open(file_);
  ASSERT_TRUE(file.ok()) << file.status();
  const Tensor& tensor = file->tensors().at("a");
  EXPECT_EQ(tensor.shape, (std::vector<int64_t>{2, 3}));
  std::vector<float> values(4);
  ReadFloats(tensor, 2, absl::MakeSpan(values));
  EXPECT_THAT(values, testing::ElementsAre(3, -4, 5.5, 1e-30f));
  ReadFloats(file->tensors().at("b"), 0, absl::MakeSpan(values));
  EXPECT_THAT(values, testing::ElementsAre(1, -1, 2, std::ldexp(1.0f, -133)));
}

TEST_F(SafetensorsTest, LeavesNothingBehindWhenWritingStops) {
  {
    auto writer = SafetensorsWriter::Create(file_, {{"a", DType::kF32, {2}}});
    ASSERT_TRUE(writer.ok());
    EXPECT_FALSE(writer->Finish().ok());  // bytes are missing
  }
  EXPECT_FALSE(std::filesystem::exists(file_));
  EXPECT_FALSE(std::filesystem::exists(file_.string() + ".partial"));
}

TEST_F(SafetensorsTest, RefusesBrokenHeaders) {
  ExpectRefused("", {"shorter"});
  ExpectRefused("1234567", {"shorter"});
  ExpectRefused(std::string("\0\0\0\0\0\0\0\x10", 8) + "{}",
                {"1152921504606846976 bytes"});  // 2^60
  ExpectRefused(WithLength("{}", "").substr(0, 9), {"truncated"});
  ExpectRefused(WithLength("{", ""), {"not valid JSON"});
  ExpectRefused(WithLength("[1]", ""), {"not a JSON object"});
  ExpectRefused(WithLength(R"({"a": 5})", ""), {"'a'", "not an object"});
  ExpectRefused(WithLength(R"({"a": {"dtype":"F32","shape":[1],"data_offsets":[0,4]},
                               "a": {"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                           "1234"),
                {"'a' is there twice"});
  ExpectRefused(WithLength("{}", "left over"), {"9 bytes belong to no tensor"});
}

// A shape of arrays in arrays: printing it in the error, or copying it, must not use up the stack.
TEST_F(SafetensorsTest, RefusesEndlessNesting) {
  const std::string deep = std::string(2'000'000, '[') + std::string(2'000'000, ']');
  ExpectRefused(
      WithLength(R"({"a": {"dtype":"F32","shape":[)" + deep + R"(],"data_offsets":[0,4]}})",
                 "1234"),
      {"nested more than 64 deep"});
  // Brackets in a name are no nesting.
  const std::string name(100, '[');
  EXPECT_TRUE(
      Open(WithLength(json{{name + "\\\"", Entry("F32", {1}, {0, 4})}}.dump(), "1234")).ok());
}

TEST_F(SafetensorsTest, RefusesBrokenEntriesByTensor) {
  const std::string data(64, 'x');
  const auto refused = [&](const json& entry, const std::string& words) {
    ExpectRefused(WithLength(json{{"some.tensor", entry}}.dump(), data), {"'some.tensor'", words});
  };
  refused(json{{"shape", {16}}, {"data_offsets", {0, 64}}}, "dtype missing");
  refused(Entry("F32", {16}, {0, 68}), "not inside the 64 bytes");
  refused(Entry("F32", {16}, {64, 0}), "not inside");
  refused(Entry("F32", {16}, {-4, 60}), "not a count");
  refused(Entry("F32", {16}, {0, uint64_t{1} << 63}), "not a count");
  refused(Entry("F32", {16}, {0}), "not inside");
  refused(Entry("F32", {16}, "0-64"), "data_offsets");
  refused(Entry("F32", {15}, {0, 64}), "needs 60 bytes, data_offsets give 64");
  refused(Entry("F32", {-16}, {0, 64}), "not a count");
  refused(Entry("F32", {int64_t{1} << 40, int64_t{1} << 40}, {0, 64}), "too large");
  refused(Entry("F32", {1.5}, {0, 64}), "not a count");
  refused(Entry("BF16", {2, 16}, {4, 68}), "not inside");
}

TEST_F(SafetensorsTest, RefusesOverlapsAndGaps) {
  const std::string data(64, 'x');
  ExpectRefused(
      WithLength(json{{"a", Entry("F32", {8}, {0, 32})}, {"b", Entry("F32", {9}, {28, 64})}}.dump(),
                 data),
      {"'b'", "overlap"});
  ExpectRefused(
      WithLength(json{{"a", Entry("F32", {7}, {0, 28})}, {"b", Entry("F32", {8}, {32, 64})}}.dump(),
                 data),
      {"'b'", "unused bytes"});
}

TEST_F(SafetensorsTest, KeepsTensorsOfOtherDtypesApart) {
  std::ofstream(file_, std::ios::binary)
      << WithLength(json{{"ids", Entry("I64", {8}, {0, 64})}}.dump(), std::string(64, 'x'));
  const auto file = SafetensorsFile::Open(file_);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE(file->tensors().empty());
  EXPECT_EQ(file->unsupported().at("ids"), "I64");
}

TEST_F(SafetensorsTest, RefusesWhatIsNoFile) {
  EXPECT_FALSE(SafetensorsFile::Open(testing::TempDir()).ok());
  EXPECT_EQ(SafetensorsFile::Open(testing::TempDir() + "missing.safetensors").status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(SafetensorsTest, NeverCrashesOnMutatedFiles) {
  const std::string whole = WithLength(json{{"a", Entry("F32", {2, 4}, {0, 32})},
                                            {"b", Entry("BF16", {16}, {32, 64})},
                                            {"__metadata__", {{"format", "pt"}}}}
                                           .dump(),
                                       std::string(64, 'x'));
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 2000; ++round) {
    std::string mutated = whole.substr(0, round % 4 == 0 ? random() % whole.size() : whole.size());
    for (int flips = 0; flips < 2 && !mutated.empty(); ++flips)
      mutated[random() % mutated.size()] ^= 1 << random() % 8;
    std::ofstream(file_, std::ios::binary) << mutated;
    const auto file = SafetensorsFile::Open(file_);
    if (!file.ok()) continue;
    for (const auto& [name, tensor] : file->tensors()) {
      std::vector<float> values(tensor.elements());
      ReadFloats(tensor, 0, absl::MakeSpan(values));
    }
  }
}

// Every half against the definition: sign, exponent and mantissa by arithmetic.
TEST(Half, ConvertsEveryValueExactly) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const int exponent = bits >> 10 & 0x1F, mantissa = bits & 0x3FF;
    const double sign = bits & 0x8000 ? -1 : 1;
    const float value = FromHalf(static_cast<uint16_t>(bits));
    if (exponent == 0x1F) {
      EXPECT_EQ(std::isnan(value), mantissa != 0);
      EXPECT_EQ(std::isinf(value), mantissa == 0);
    } else {
      const double expected = exponent == 0
                                  ? mantissa * std::ldexp(1, -24)
                                  : (1 + mantissa / 1024.0) * std::ldexp(1, exponent - 15);
      ASSERT_EQ(value, sign * expected) << bits;
      ASSERT_EQ(std::signbit(value), sign < 0) << bits;
      ASSERT_EQ(ToHalf(value), bits);
    }
  }
  EXPECT_EQ(ToHalf(65519.0f), 0x7BFF);  // just below the border to infinity
  EXPECT_EQ(ToHalf(65520.0f), 0x7C00);
  EXPECT_EQ(ToHalf(1.0f + 1.0f / 2048), 0x3C00);  // a tie goes to the even neighbour
  EXPECT_EQ(ToHalf(1.0f + 3.0f / 2048), 0x3C02);
}

}  // namespace
}  // namespace memory3
