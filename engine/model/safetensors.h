// Reads .safetensors files: an 8-byte little-endian header length, a JSON header, then raw tensor
// bytes. Trusts nothing: header length, offsets, overlaps, shapes and dtypes are checked before a
// byte is used, and an error names the file and the tensor.
#ifndef MEMORY3_ENGINE_MODEL_SAFETENSORS_H_
#define MEMORY3_ENGINE_MODEL_SAFETENSORS_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "nlohmann/json_fwd.hpp"

namespace memory3 {

enum class DType : uint8_t { kF32, kF16, kBF16 };
int SizeOf(DType dtype);
std::string_view NameOf(DType dtype);  // "F32", as safetensors spells it

// A view into a mapped file; not owned. data is aligned to the element only as far as the file
// aligns it: read with ReadFloats, which copes with any alignment.
struct Tensor {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  absl::Span<const uint8_t> data;  // empty: the tensor is absent (an optional bias)

  bool present() const { return !data.empty(); }
  int64_t elements() const;
};

// Converts elements [begin, begin + out.size()) of the tensor, in row-major order, to float. Exact
// for every dtype.
void ReadFloats(const Tensor& tensor, int64_t begin, absl::Span<float> out);

class SafetensorsFile {
 public:
  static absl::StatusOr<SafetensorsFile> Open(const std::filesystem::path& file);
  SafetensorsFile(SafetensorsFile&&) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) noexcept;
  ~SafetensorsFile();

  // Tensors of a dtype that Tensor can hold.
  const absl::flat_hash_map<std::string, Tensor>& tensors() const { return tensors_; }
  // Name -> dtype of the others: legal as long as nobody asks for them.
  const absl::flat_hash_map<std::string, std::string>& unsupported() const { return unsupported_; }
  const std::filesystem::path& path() const { return path_; }

  // Tells the kernel that the tensor's pages, already read, may leave memory: packing a model must
  // not hold it twice.
  void DropPages(const Tensor& tensor) const;

 private:
  SafetensorsFile() = default;
  absl::Status Map();
  absl::Status ParseHeader();
  absl::Status AddTensor(const std::string& name, const nlohmann::json& entry,
                         absl::Span<const uint8_t> data);

  std::filesystem::path path_;
  void* mapping_ = nullptr;
  size_t mapping_bytes_ = 0;
  absl::flat_hash_map<std::string, Tensor> tensors_;
  absl::flat_hash_map<std::string, std::string> unsupported_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MODEL_SAFETENSORS_H_
