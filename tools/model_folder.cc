#include "tools/model_folder.h"

#include <fstream>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"

namespace memory3 {
namespace {

absl::Status FolderError(const std::filesystem::path& path, const std::error_code& error) {
  return absl::FailedPreconditionError(absl::StrCat(path.string(), ": ", error.message()));
}

bool BelongsToCheckpoint(const std::string& name) {
  return name == "model.safetensors.index.json" ||
         (absl::StartsWith(name, "model") && absl::EndsWith(name, ".safetensors"));
}

// A loader would read an old index, or old shards, in place of the new ones.
absl::Status RemoveModel(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::remove(folder / "config.json", error);
  if (error) return FolderError(folder / "config.json", error);
  std::vector<std::filesystem::path> old;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (BelongsToCheckpoint(entry->path().filename().string())) old.push_back(entry->path());
  }
  if (error) return FolderError(folder, error);
  for (const std::filesystem::path& file : old) {
    std::filesystem::remove(file, error);
    if (error) return FolderError(file, error);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status PrepareModelFolder(const std::filesystem::path& folder, bool overwrite) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return FolderError(folder, error);
  const bool empty = std::filesystem::is_empty(folder, error);
  if (error) return FolderError(folder, error);
  if (empty) return absl::OkStatus();
  if (!overwrite) return absl::AlreadyExistsError(absl::StrCat(folder.string(), ": not empty"));
  return RemoveModel(folder);
}

absl::Status WriteModelText(const std::filesystem::path& file, const std::string& text) {
  const std::filesystem::path temporary = absl::StrCat(file.string(), ".partial");
  std::ofstream stream(temporary, std::ios::binary);
  stream << text;
  stream.close();
  std::error_code error;
  if (stream) {
    std::filesystem::rename(temporary, file, error);
    if (!error) return absl::OkStatus();
  }
  std::error_code ignored;
  std::filesystem::remove(temporary, ignored);
  return absl::ResourceExhaustedError(absl::StrCat(file.string(), ": cannot be written"));
}

}  // namespace memory3
