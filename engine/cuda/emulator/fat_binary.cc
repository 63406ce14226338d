// The format is not documented; its fields are as the compilers of CUDA 13 fill them.
#include "engine/cuda/emulator/fat_binary.h"

#include <zstd.h>

#include <cstdint>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace memory3::cuda::emulator {
namespace {

constexpr uint32_t kWrapperMagic = 0x466243B1;
constexpr uint32_t kMagic = 0xBA55ED50;
constexpr uint16_t kPtx = 1;  // Entry::kind; 2: machine code
constexpr uint64_t kCompressedByLz4 = 0x2000;
constexpr uint64_t kCompressedByZstd = 0x8000;

struct Wrapper {
  uint32_t magic;
  uint32_t version;
  const uint8_t* data;
};
struct Header {
  uint32_t magic;
  uint16_t version;
  uint16_t header_bytes;
  uint64_t bytes;  // behind the header
};
struct Entry {
  uint16_t kind;
  uint16_t version;
  uint32_t header_bytes;
  uint64_t bytes;  // behind the header, padded
  uint32_t compressed_bytes;
  uint32_t unused;
  uint32_t version_of_ptx;
  uint32_t architecture;
  uint64_t name;
  uint64_t flags;
  uint64_t unused_too;
  uint64_t text_bytes;
};
static_assert(sizeof(Entry) == 64);

absl::StatusOr<std::string> TextOf(const Entry& entry, const uint8_t* data) {
  if ((entry.flags & kCompressedByLz4) != 0) {
    return absl::UnimplementedError("the PTX is compressed by LZ4: nvcc of CUDA 13 is needed");
  }
  if ((entry.flags & kCompressedByZstd) == 0) {
    const auto* const text = reinterpret_cast<const char*>(data);
    return std::string(text, strnlen(text, entry.bytes));
  }
  std::string text(entry.text_bytes, '\0');
  const size_t bytes = ZSTD_decompress(text.data(), text.size(), data, entry.compressed_bytes);
  if (ZSTD_isError(bytes) != 0) {
    return absl::DataLossError(absl::StrCat("decompressing PTX: ", ZSTD_getErrorName(bytes)));
  }
  text.resize(strnlen(text.data(), bytes));
  return text;
}

}  // namespace

absl::StatusOr<std::string> PtxOf(const void* wrapper) {
  Wrapper outer;
  std::memcpy(&outer, wrapper, sizeof(outer));
  Header header;
  if (outer.magic != kWrapperMagic) return absl::DataLossError("not a fat binary");
  std::memcpy(&header, outer.data, sizeof(header));
  if (header.magic != kMagic) return absl::DataLossError("not a fat binary");
  const uint8_t* at = outer.data + header.header_bytes;
  const uint8_t* const end = at + header.bytes;
  Entry best = {};
  const uint8_t* best_data = nullptr;
  while (at < end) {
    // Entries of machine code have shorter headers; what lies behind them is not looked at.
    Entry entry;
    std::memcpy(&entry, at, sizeof(entry));
    if (entry.kind == kPtx && (best_data == nullptr || entry.architecture > best.architecture)) {
      best = entry;
      best_data = at + entry.header_bytes;
    }
    at += entry.header_bytes + entry.bytes;
  }
  if (best_data == nullptr) return absl::NotFoundError("a fat binary without PTX");
  return TextOf(best, best_data);
}

}  // namespace memory3::cuda::emulator
