#include "engine/model/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/bfloat16.h"
#include "engine/base/check.h"
#include "engine/base/half.h"
#include "engine/base/status_macros.h"
#include "engine/model/json_fields.h"

namespace memory3 {
namespace {

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = uint64_t{100} << 20;  // the format's own limit
constexpr int kMaxDimensions = 8;

// Little-endian on disk, as on every machine this builds for.
template <typename T>
T Load(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

absl::Status TensorError(absl::string_view file, absl::string_view tensor,
                         absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(file, ": tensor '", tensor, "': ", problem));
}

const char* DTypeName(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "F32";
    case DType::kF16:
      return "F16";
    case DType::kBF16:
      return "BF16";
  }
  return "?";
}

// A tensor whose dtype is none of ours is legal in a file (a buffer nobody needs); asking for it is
// the error.
bool ParseDType(absl::string_view name, DType* dtype) {
  for (DType candidate : {DType::kF32, DType::kF16, DType::kBF16}) {
    if (name == DTypeName(candidate)) {
      *dtype = candidate;
      return true;
    }
  }
  return false;
}

absl::StatusOr<std::vector<int64_t>> ParseIntegers(const nlohmann::json& entry, const char* field,
                                                   size_t max_count) {
  const auto list = entry.find(field);
  if (list == entry.end() || !list->is_array() || list->size() > max_count) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " must be a list of at most ", max_count, " integers"));
  }
  std::vector<int64_t> values;
  for (const nlohmann::json& item : *list) {
    // Everything in a header is a count or an offset; unsigned values beyond int64 come back
    // negative.
    if (!item.is_number_integer() || item.get<int64_t>() < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, " holds ", item.dump(), ", not a count"));
    }
    values.push_back(item.get<int64_t>());
  }
  return values;
}

// Product of the dimensions times the element size; OutOfRange when it does not fit 63 bits.
absl::StatusOr<int64_t> ByteSize(const std::vector<int64_t>& shape, int element_bytes) {
  int64_t bytes = element_bytes;
  for (int64_t dimension : shape) {
    if (__builtin_mul_overflow(bytes, dimension, &bytes)) {
      return absl::InvalidArgumentError(
          absl::StrCat("shape [", absl::StrJoin(shape, ", "), "] is too large"));
    }
  }
  return bytes;
}

struct Extent {
  int64_t begin;
  int64_t end;
  std::string name;
};

// Tensor bytes must tile the data section: no overlap, no gap, nothing left over.
absl::Status CheckTiling(std::vector<Extent> extents, int64_t data_bytes, const std::string& file) {
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  int64_t next = 0;
  for (const Extent& extent : extents) {
    if (extent.begin < next)
      return TensorError(file, extent.name, "its bytes overlap another tensor's");
    if (extent.begin > next)
      return TensorError(file, extent.name,
                         absl::StrCat("unused bytes before offset ", extent.begin));
    next = extent.end;
  }
  if (next != data_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": ", data_bytes - next, " bytes belong to no tensor"));
  }
  return absl::OkStatus();
}

}  // namespace

int SizeOf(DType dtype) { return dtype == DType::kF32 ? 4 : 2; }

std::string_view NameOf(DType dtype) { return DTypeName(dtype); }

int64_t Tensor::elements() const { return static_cast<int64_t>(data.size()) / SizeOf(dtype); }

void ReadFloats(const Tensor& tensor, int64_t begin, absl::Span<float> out) {
  M3_CHECK(begin >= 0 && begin + static_cast<int64_t>(out.size()) <= tensor.elements());
  const uint8_t* from = tensor.data.data() + begin * SizeOf(tensor.dtype);
  switch (tensor.dtype) {
    case DType::kF32:
      std::memcpy(out.data(), from, out.size() * sizeof(float));
      break;
    case DType::kF16:
      for (size_t i = 0; i < out.size(); ++i) out[i] = FromHalf(Load<uint16_t>(from + 2 * i));
      break;
    case DType::kBF16:
      for (size_t i = 0; i < out.size(); ++i) out[i] = FromBfloat16(Load<uint16_t>(from + 2 * i));
      break;
  }
}

absl::StatusOr<SafetensorsFile> SafetensorsFile::Open(const std::filesystem::path& path) {
  SafetensorsFile file;
  file.path_ = path;
  M3_RETURN_IF_ERROR(file.Map());
  M3_RETURN_IF_ERROR(file.ParseHeader());
  return file;
}

absl::Status SafetensorsFile::Map() {
  const int fd = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, path_.string());
  struct stat info;
  const bool is_file = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  if (!is_file || info.st_size < static_cast<int64_t>(kLengthBytes)) {
    close(fd);
    return absl::InvalidArgumentError(
        absl::StrCat(path_.string(), ": not a safetensors file: ",
                     is_file ? "shorter than its length field" : "not a regular file"));
  }
  mapping_bytes_ = static_cast<size_t>(info.st_size);
  void* mapping = mmap(nullptr, mapping_bytes_, PROT_READ, MAP_PRIVATE, fd, 0);
  const int map_errno = errno;
  close(fd);
  if (mapping == MAP_FAILED)
    return absl::ErrnoToStatus(map_errno, absl::StrCat(path_.string(), ": mmap"));
  mapping_ = mapping;
  return absl::OkStatus();
}

absl::Status SafetensorsFile::ParseHeader() {
  const std::string file = path_.string();
  const auto* bytes = static_cast<const uint8_t*>(mapping_);
  const uint64_t header_bytes = Load<uint64_t>(bytes);
  if (header_bytes > kMaxHeaderBytes || header_bytes > mapping_bytes_ - kLengthBytes) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": header of ", header_bytes,
                                                   " bytes in a file of ", mapping_bytes_,
                                                   ": truncated, or not a safetensors file"));
  }
  const absl::string_view text(reinterpret_cast<const char*>(bytes) + kLengthBytes, header_bytes);
  M3_ASSIGN_OR_RETURN(const nlohmann::json header,
                      ParseUniqueJsonObject(text, absl::StrCat(file, ": header")));
  const absl::Span<const uint8_t> data(bytes + kLengthBytes + header_bytes,
                                       mapping_bytes_ - kLengthBytes - header_bytes);
  std::vector<Extent> extents;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    M3_RETURN_IF_ERROR(AddTensor(name, entry, data));
    const auto offsets = entry.at("data_offsets");
    extents.push_back({offsets[0].get<int64_t>(), offsets[1].get<int64_t>(), name});
  }
  return CheckTiling(std::move(extents), static_cast<int64_t>(data.size()), file);
}

absl::Status SafetensorsFile::AddTensor(const std::string& name, const nlohmann::json& entry,
                                        absl::Span<const uint8_t> data) {
  const std::string file = path_.string();
  if (!entry.is_object()) return TensorError(file, name, "its header entry is not an object");
  const auto dtype_name = entry.find("dtype");
  if (dtype_name == entry.end() || !dtype_name->is_string())
    return TensorError(file, name, "dtype missing");

  const auto shape = ParseIntegers(entry, "shape", kMaxDimensions);
  if (!shape.ok()) return TensorError(file, name, shape.status().message());
  const auto offsets = ParseIntegers(entry, "data_offsets", 2);
  if (!offsets.ok()) return TensorError(file, name, offsets.status().message());
  if (offsets->size() != 2 || (*offsets)[0] > (*offsets)[1] ||
      (*offsets)[1] > static_cast<int64_t>(data.size())) {
    return TensorError(
        file, name,
        absl::StrCat("data_offsets [", absl::StrJoin(*offsets, ", "), "] are not inside the ",
                     data.size(), " bytes of data: truncated or corrupt"));
  }
  Tensor tensor{.name = name, .shape = *shape};
  if (!ParseDType(dtype_name->get<std::string>(), &tensor.dtype)) {
    unsupported_.emplace(name, dtype_name->get<std::string>());
    return absl::OkStatus();
  }
  const auto bytes = ByteSize(tensor.shape, SizeOf(tensor.dtype));
  if (!bytes.ok()) return TensorError(file, name, bytes.status().message());
  const int64_t length = (*offsets)[1] - (*offsets)[0];
  if (*bytes != length) {
    return TensorError(
        file, name,
        absl::StrCat("shape [", absl::StrJoin(tensor.shape, ", "), "] of ", DTypeName(tensor.dtype),
                     " needs ", *bytes, " bytes, data_offsets give ", length));
  }
  tensor.data = data.subspan(static_cast<size_t>((*offsets)[0]), static_cast<size_t>(length));
  tensors_.emplace(name, std::move(tensor));
  return absl::OkStatus();
}

void SafetensorsFile::DropPages(const Tensor& tensor) const {
  const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin =
      (reinterpret_cast<uintptr_t>(tensor.data.data()) + page - 1) / page * page;
  const uintptr_t end =
      reinterpret_cast<uintptr_t>(tensor.data.data() + tensor.data.size()) / page * page;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

SafetensorsFile::SafetensorsFile(SafetensorsFile&& other) noexcept { *this = std::move(other); }

SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(mapping_, other.mapping_);
  std::swap(mapping_bytes_, other.mapping_bytes_);
  std::swap(tensors_, other.tensors_);
  std::swap(unsupported_, other.unsupported_);
  return *this;
}

SafetensorsFile::~SafetensorsFile() {
  if (mapping_ != nullptr) munmap(mapping_, mapping_bytes_);
}

}  // namespace memory3
