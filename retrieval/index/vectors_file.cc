#include "retrieval/index/vectors_file.h"

#include <array>
#include <cmath>
#include <string>

#include "engine/base/status_macros.h"
#include "retrieval/base/byte_cursor.h"
#include "retrieval/embed/embedder.h"
#include "retrieval/index/inner_product.h"

namespace memory3 {
namespace {

constexpr std::string_view kMagic = "M3VECTS1";
constexpr size_t kFieldBytes = 16;
constexpr float kUnitTolerance = 1e-3f;

}  // namespace

absl::StatusOr<VectorsWriter> VectorsWriter::Create(const std::filesystem::path& file,
                                                    int64_t count, int dimensions) {
  M3_ASSIGN_OR_RETURN(CheckedFileWriter writer, CheckedFileWriter::Create(file, kMagic));
  std::string fields;
  AppendNumber(static_cast<uint64_t>(count), &fields);
  AppendNumber(static_cast<uint32_t>(dimensions), &fields);
  AppendNumber(uint32_t{0}, &fields);
  M3_RETURN_IF_ERROR(writer.Append(fields));
  return VectorsWriter(std::move(writer));
}

absl::Status VectorsWriter::Append(absl::Span<const float> vectors) {
  return file_.Append(
      {reinterpret_cast<const char*>(vectors.data()), vectors.size() * sizeof(float)});
}

absl::StatusOr<uint64_t> VectorsWriter::Finish() {
  M3_RETURN_IF_ERROR(file_.Finish());
  return file_.payload_checksum();
}

absl::StatusOr<VectorsReader> VectorsReader::Open(const std::filesystem::path& file) {
  M3_ASSIGN_OR_RETURN(CheckedFileReader checked, CheckedFileReader::Open(file, kMagic));
  VectorsReader reader(std::move(checked));
  std::array<char, kFieldBytes> fields;
  M3_RETURN_IF_ERROR(reader.file_.Read(absl::MakeSpan(fields)));
  ByteCursor cursor({fields.data(), fields.size()});
  const auto count = cursor.Next<uint64_t>();
  const auto dimensions = cursor.Next<uint32_t>();
  if (cursor.Next<uint32_t>() != 0) return reader.file_.Damaged("a reserved field is not 0");
  if (dimensions == 0 || dimensions > kMaxDimensions) {
    return reader.file_.Damaged("the number of dimensions is out of range");
  }
  const uint64_t vector_bytes = dimensions * sizeof(float);
  const uint64_t bytes = reader.file_.payload_bytes() - kFieldBytes;
  if (bytes % vector_bytes != 0 || bytes / vector_bytes != count) {
    return reader.file_.Damaged("the number of vectors does not fit the size");
  }
  reader.count_ = static_cast<int64_t>(count);
  reader.dimensions_ = static_cast<int>(dimensions);
  return reader;
}

absl::Status VectorsReader::ReadAll(absl::FunctionRef<float*(int64_t i)> place) {
  const InnerProductFn inner_product = BestInnerProduct();
  for (int64_t i = 0; i < count_; ++i) {
    float* vector = place(i);
    M3_RETURN_IF_ERROR(file_.Read({reinterpret_cast<char*>(vector), dimensions_ * sizeof(float)}));
    const float square = inner_product(vector, vector, dimensions_);
    // Written so that NaN fails: scores are sorted, and NaN has no place in an order.
    const bool unit_or_zero = square == 0 || std::abs(square - 1) < kUnitTolerance;
    if (!unit_or_zero) return file_.Damaged("a vector is not of length 1");
  }
  return file_.Finish();
}

}  // namespace memory3
