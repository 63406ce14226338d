#include "engine/model/checkpoint_files.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "engine/base/read_file.h"
#include "engine/base/status_macros.h"
#include "engine/model/json_fields.h"

namespace memory3 {
namespace {

constexpr int64_t kMaxIndexBytes = int64_t{64} << 20;
constexpr char kSingleFile[] = "model.safetensors";
constexpr char kIndexFile[] = "model.safetensors.index.json";

// Shard -> the tensors it must hold, in the order of the shards' names.
using Index = std::map<std::string, std::vector<std::string>>;

// A shard's name must be a plain file name: nothing outside the folder is opened.
absl::StatusOr<Index> ReadIndex(const std::filesystem::path& file) {
  M3_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kMaxIndexBytes));
  M3_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJsonObject(text, file.string()));
  const JsonFields fields(json, file.string());
  if (!fields.Has("weight_map") || !fields.at("weight_map").is_object()) {
    return fields.Error("weight_map", "missing, or not an object");
  }
  Index index;
  for (const auto& [tensor, shard] : fields.at("weight_map").items()) {
    if (!shard.is_string() || shard.get<std::string>().find('/') != std::string::npos) {
      return fields.Error("weight_map", absl::StrCat("tensor '", tensor, "': ", shard.dump(),
                                                     " is not a file name"));
    }
    index[shard.get<std::string>()].push_back(tensor);
  }
  if (index.empty()) return fields.Error("weight_map", "names no tensor");
  return index;
}

absl::StatusOr<std::vector<SafetensorsFile>> OpenIndexed(const std::filesystem::path& model_dir) {
  M3_ASSIGN_OR_RETURN(const Index index, ReadIndex(model_dir / kIndexFile));
  std::vector<SafetensorsFile> files;
  for (const auto& [shard, tensors] : index) {
    M3_ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::Open(model_dir / shard));
    for (const std::string& tensor : tensors) {
      if (file.tensors().contains(tensor) || file.unsupported().contains(tensor)) continue;
      return absl::InvalidArgumentError(absl::StrCat(file.path().string(), ": tensor '", tensor,
                                                     "': missing, ", kIndexFile,
                                                     " says it is here"));
    }
    files.push_back(std::move(file));
  }
  return files;
}

absl::StatusOr<std::vector<std::filesystem::path>> ListSafetensors(
    const std::filesystem::path& model_dir) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  std::filesystem::directory_iterator entry(model_dir, error);
  // Not a range-for: that one throws when reading on fails.
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (entry->path().extension() == ".safetensors") files.push_back(entry->path());
  }
  if (error) return absl::NotFoundError(absl::StrCat(model_dir.string(), ": ", error.message()));
  if (files.empty())
    return absl::NotFoundError(absl::StrCat(model_dir.string(), ": no .safetensors file"));
  std::sort(files.begin(), files.end());
  return files;
}

absl::Status CheckNoDuplicates(const std::vector<SafetensorsFile>& files) {
  absl::flat_hash_map<std::string_view, const SafetensorsFile*> owner;
  for (const SafetensorsFile& file : files) {
    for (const auto& [name, tensor] : file.tensors()) {
      const auto [position, inserted] = owner.emplace(name, &file);
      if (!inserted) {
        return absl::InvalidArgumentError(absl::StrCat(file.path().string(), ": tensor '", name,
                                                       "' is also in ",
                                                       position->second->path().string()));
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<SafetensorsFile>> OpenUnindexed(const std::filesystem::path& model_dir) {
  std::vector<std::filesystem::path> paths = {model_dir / kSingleFile};
  std::error_code error;
  if (!std::filesystem::exists(paths[0], error)) {
    M3_ASSIGN_OR_RETURN(paths, ListSafetensors(model_dir));
  }
  std::vector<SafetensorsFile> files;
  for (const std::filesystem::path& path : paths) {
    M3_ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::Open(path));
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace

absl::StatusOr<std::vector<SafetensorsFile>> OpenCheckpointFiles(
    const std::filesystem::path& model_dir) {
  std::error_code error;
  const bool indexed = std::filesystem::exists(model_dir / kIndexFile, error);
  M3_ASSIGN_OR_RETURN(std::vector<SafetensorsFile> files,
                      indexed ? OpenIndexed(model_dir) : OpenUnindexed(model_dir));
  M3_RETURN_IF_ERROR(CheckNoDuplicates(files));
  return files;
}

}  // namespace memory3
