#include "engine/memory/bank/manifest.h"

#include <xxhash.h>

#include <algorithm>
#include <cctype>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "engine/base/status_macros.h"
#include "engine/base/string_views.h"
#include "engine/memory/bank/record_size.h"

namespace memory3 {
namespace {

constexpr absl::string_view kTitle = "memory3-bank";
constexpr int kFingerprintDigits = 32;
// Bounds that keep every product inside 64 bits.
constexpr int64_t kMaxShapeNumber = 1 << 20;
constexpr int64_t kMaxRecordBytes = int64_t{1} << 32;

std::string Hex(uint64_t number) { return absl::StrFormat("%016x", number); }

uint64_t ChecksumOf(absl::string_view text) { return XXH3_64bits(text.data(), text.size()); }

// Takes the lines in the order in which FormatManifest writes them.
class ManifestReader {
 public:
  ManifestReader(absl::string_view text, absl::string_view source) : rest_(text), source_(source) {}

  absl::Status Damaged(absl::string_view problem) const {
    return absl::DataLossError(absl::StrCat(source_, ": ", problem));
  }

  // The value of the next line, which must be "key value".
  absl::StatusOr<absl::string_view> Value(absl::string_view key) {
    const size_t end = rest_.find('\n');
    if (end == absl::string_view::npos || rest_.substr(0, key.size()) != key ||
        rest_.substr(key.size(), 1) != " ") {
      return Damaged(absl::StrCat("the line '", key, "' is missing"));
    }
    const absl::string_view value = rest_.substr(key.size() + 1, end - key.size() - 1);
    rest_.remove_prefix(end + 1);
    return value;
  }

  absl::StatusOr<int64_t> Number(absl::string_view key, int64_t min, int64_t max) {
    M3_ASSIGN_OR_RETURN(const absl::string_view value, Value(key));
    int64_t number = 0;
    if (!absl::SimpleAtoi(value, &number) || number < min || number > max ||
        absl::StrCat(number) != value) {
      return Damaged(absl::StrCat(key, " must be in [", min, ", ", max, "], got ", value));
    }
    return number;
  }

  bool NextIs(absl::string_view key) const {
    return rest_.substr(0, key.size()) == key && rest_.substr(key.size(), 1) == " ";
  }
  absl::string_view rest() const { return rest_; }

 private:
  absl::string_view rest_;
  const absl::string_view source_;
};

bool IsHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsFileName(absl::string_view name) {
  if (name.empty() || name.front() == '/' || name.find("..") != absl::string_view::npos) {
    return false;
  }
  return std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '.' || c == '-' || c == '_' || c == '/';
  });
}

absl::Status ReadShape(ManifestReader& reader, MemoryShape& shape) {
  M3_ASSIGN_OR_RETURN(shape.layers, reader.Number("memory_layers", 1, kMaxShapeNumber));
  M3_ASSIGN_OR_RETURN(shape.kv_heads, reader.Number("kv_heads", 1, kMaxShapeNumber));
  M3_ASSIGN_OR_RETURN(shape.kept_tokens, reader.Number("kept_tokens", 1, kMaxShapeNumber));
  M3_ASSIGN_OR_RETURN(shape.head_dim, reader.Number("head_dim", 1, kMaxShapeNumber));
  M3_ASSIGN_OR_RETURN(const absl::string_view dtype, reader.Value("dtype"));
  if (dtype != "BF16" && dtype != "F32") {
    return reader.Damaged(absl::StrCat("dtype must be BF16 or F32, got ", dtype));
  }
  shape.dtype = dtype == "F32" ? DType::kF32 : DType::kBF16;
  const double elements = 2.0 * shape.layers * shape.kv_heads * shape.kept_tokens * shape.head_dim;
  if (elements * SizeOf(shape.dtype) > static_cast<double>(kMaxRecordBytes)) {
    return reader.Damaged(absl::StrCat("memories of ", Describe(shape), " are too large"));
  }
  return absl::OkStatus();
}

absl::Status ReadFiles(ManifestReader& reader, std::vector<BankFile>& files) {
  while (reader.NextIs("file")) {
    M3_ASSIGN_OR_RETURN(const absl::string_view value, reader.Value("file"));
    const std::vector<absl::string_view> parts = absl::StrSplit(value, ' ');
    BankFile file;
    if (parts.size() != 3 || !IsFileName(parts[0]) || !absl::SimpleAtoi(parts[1], &file.bytes) ||
        file.bytes < 0 || parts[2].size() != 16 || !IsHex(parts[2]) ||
        !absl::SimpleHexAtoi(parts[2], &file.checksum)) {
      return reader.Damaged(absl::StrCat("'file ", value, "' is not a name, a size, a checksum"));
    }
    file.name = std::string(parts[0]);
    files.push_back(std::move(file));
  }
  return absl::OkStatus();
}

}  // namespace

std::string FormatManifest(const BankManifest& manifest) {
  const MemoryShape& shape = manifest.shape;
  std::string text = absl::StrCat(
      kTitle, " ", kBankFormatVersion, "\n", "epoch ", manifest.epoch, "\n", "model_fingerprint ",
      manifest.model_fingerprint, "\n", "memory_layers ", shape.layers, "\n", "kv_heads ",
      shape.kv_heads, "\n", "kept_tokens ", shape.kept_tokens, "\n", "head_dim ", shape.head_dim,
      "\n", "dtype ", AbslView(NameOf(shape.dtype)), "\n", "record_bytes ", manifest.record_bytes,
      "\n", "count ", manifest.count, "\n", "records_per_file ", manifest.records_per_file, "\n",
      "embedder ", manifest.embedder, "\n");
  for (const BankFile& file : manifest.files) {
    absl::StrAppend(&text, "file ", file.name, " ", file.bytes, " ", Hex(file.checksum), "\n");
  }
  absl::StrAppend(&text, "checksum ", Hex(ChecksumOf(text)), "\n");
  return text;
}

absl::StatusOr<BankManifest> ParseManifest(std::string_view text, std::string_view source) {
  ManifestReader reader(AbslView(text), AbslView(source));
  M3_ASSIGN_OR_RETURN(const absl::string_view version, reader.Value(kTitle));
  if (version != absl::StrCat(kBankFormatVersion)) {
    return absl::UnimplementedError(absl::StrCat(AbslView(source), ": bank format ", version,
                                                 "; this program reads ", kBankFormatVersion));
  }
  // The whole text first: what follows may then trust that nothing was changed by accident.
  const size_t last = text.rfind("\nchecksum ");
  if (last == std::string_view::npos ||
      AbslView(text.substr(last + 1)) !=
          absl::StrCat("checksum ", Hex(ChecksumOf(AbslView(text.substr(0, last + 1)))), "\n")) {
    return reader.Damaged("its checksum is wrong: the file was changed or cut");
  }
  BankManifest manifest;
  M3_ASSIGN_OR_RETURN(manifest.epoch,
                      reader.Number("epoch", 1, std::numeric_limits<int64_t>::max()));
  M3_ASSIGN_OR_RETURN(const absl::string_view fingerprint, reader.Value("model_fingerprint"));
  if (fingerprint.size() != kFingerprintDigits || !IsHex(fingerprint)) {
    return reader.Damaged("model_fingerprint must have 32 hexadecimal digits");
  }
  manifest.model_fingerprint = std::string(fingerprint);
  M3_RETURN_IF_ERROR(ReadShape(reader, manifest.shape));
  const int64_t record_bytes = RecordBytes(manifest.shape);
  M3_ASSIGN_OR_RETURN(manifest.record_bytes,
                      reader.Number("record_bytes", record_bytes, record_bytes));
  M3_ASSIGN_OR_RETURN(manifest.count, reader.Number("count", 0, kMaxReferences));
  M3_ASSIGN_OR_RETURN(manifest.records_per_file,
                      reader.Number("records_per_file", 1, kMaxReferences));
  M3_ASSIGN_OR_RETURN(const absl::string_view embedder, reader.Value("embedder"));
  manifest.embedder = std::string(embedder);
  M3_RETURN_IF_ERROR(ReadFiles(reader, manifest.files));
  if (!reader.NextIs("checksum")) return reader.Damaged("has a line that does not belong there");
  // Whatever else a line could hide: repeated lines, spaces, another spelling of a number.
  if (FormatManifest(manifest) != text) return reader.Damaged("is not spelled as it must be");
  return manifest;
}

uint64_t BankIdentity(const BankManifest& manifest) { return ChecksumOf(FormatManifest(manifest)); }

std::string RecordFileName(int64_t index) { return absl::StrFormat("records-%05d.bin", index); }

}  // namespace memory3
