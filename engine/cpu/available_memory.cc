#include "engine/cpu/available_memory.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace memory3 {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> LinesOf(const fs::path& file) {
  std::ifstream stream(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The number on the first line; nullopt when there is none ("max", or no such file).
std::optional<int64_t> NumberIn(const fs::path& file) {
  const std::vector<std::string> lines = LinesOf(file);
  int64_t number = 0;
  if (lines.empty() || !absl::SimpleAtoi(lines[0], &number)) return std::nullopt;
  return number;
}

// The number after `key` in a file of "key value" lines.
std::optional<int64_t> FieldIn(const fs::path& file, const std::string& key) {
  for (const std::string& line : LinesOf(file)) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    int64_t number = 0;
    if (words.size() >= 2 && words[0] == key && absl::SimpleAtoi(words[1], &number)) return number;
  }
  return std::nullopt;
}

void Tighten(std::optional<int64_t>& limit, std::optional<int64_t> other) {
  if (other.has_value() && (!limit.has_value() || *other < *limit)) limit = other;
}

// The folders of the process's control group and of all groups above it, whose limits apply too: in
// the memory hierarchy of version 1, or in the one hierarchy of version 2.
std::vector<fs::path> MemoryGroups(const fs::path& root) {
  const std::string controller = "memory";
  std::vector<fs::path> folders;
  for (const std::string& line : LinesOf(root / "proc/self/cgroup")) {
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    const std::vector<std::string> controllers = absl::StrSplit(parts[1], ',');
    fs::path base = root / "sys/fs/cgroup";
    if (!parts[1].empty()) {
      if (std::find(controllers.begin(), controllers.end(), controller) == controllers.end()) {
        continue;
      }
      base /= controller;
    }
    folders.push_back(base);
    for (const fs::path& name : fs::path(parts[2]).relative_path()) {
      folders.push_back(folders.back() / name);
    }
  }
  return folders;
}

std::optional<int64_t> LeftInGroup(const fs::path& folder) {
  std::optional<int64_t> limit = NumberIn(folder / "memory.max");
  std::optional<int64_t> used = NumberIn(folder / "memory.current");
  std::optional<int64_t> cache = FieldIn(folder / "memory.stat", "inactive_file");
  if (!limit.has_value()) {  // version 1
    limit = NumberIn(folder / "memory.limit_in_bytes");
    used = NumberIn(folder / "memory.usage_in_bytes");
    cache = FieldIn(folder / "memory.stat", "total_inactive_file");
  }
  if (!limit.has_value() || !used.has_value()) return std::nullopt;
  return std::max<int64_t>(*limit - *used + cache.value_or(0), 0);
}

}  // namespace

std::optional<int64_t> AvailableMemoryBytes(const fs::path& root) {
  constexpr int64_t kKiB = 1024;
  std::optional<int64_t> available = FieldIn(root / "proc/meminfo", "MemAvailable:");
  if (available.has_value()) *available *= kKiB;
  for (const fs::path& folder : MemoryGroups(root)) {
    Tighten(available, LeftInGroup(folder));
  }
  return available;
}

}  // namespace memory3
