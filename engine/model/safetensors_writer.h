// Writes .safetensors files, for tools and tests.
#ifndef MEMORY3_ENGINE_MODEL_SAFETENSORS_WRITER_H_
#define MEMORY3_ENGINE_MODEL_SAFETENSORS_WRITER_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/model/safetensors.h"

namespace memory3 {

// Streams tensors to a file in the given order. The file appears under its name only with Finish:
// until then, and after an error, there is at most a temporary file beside it, which the destructor
// removes. The header is padded so that tensor data begins at a multiple of 64 bytes.
class SafetensorsWriter {
 public:
  struct Entry {
    std::string name;
    DType dtype;
    std::vector<int64_t> shape;
  };
  // Announces all entries; then Append each tensor's bytes in that order, in pieces of any size.
  static absl::StatusOr<SafetensorsWriter> Create(const std::filesystem::path& file,
                                                  absl::Span<const Entry> entries);
  absl::Status Append(absl::Span<const uint8_t> bytes);
  // Fails unless exactly the announced number of bytes was appended. Syncs, closes and renames.
  absl::Status Finish();

  SafetensorsWriter(SafetensorsWriter&&) noexcept;
  SafetensorsWriter& operator=(SafetensorsWriter&&) noexcept;
  ~SafetensorsWriter();

 private:
  SafetensorsWriter() = default;
  absl::Status WriteAll(const void* bytes, size_t count);

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int fd_ = -1;
  int64_t expected_ = 0;
  int64_t written_ = 0;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MODEL_SAFETENSORS_WRITER_H_
