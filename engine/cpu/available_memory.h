// How much memory this process may still take, control groups (containers) included.
#ifndef MEMORY3_ENGINE_CPU_AVAILABLE_MEMORY_H_
#define MEMORY3_ENGINE_CPU_AVAILABLE_MEMORY_H_

#include <cstdint>
#include <filesystem>
#include <optional>

namespace memory3 {

// The smaller of MemAvailable and what the memory limits of the process's control groups leave;
// file cache that can be dropped counts as free. nullopt where the system does not say. `root` is
// where /proc and /sys are found; tests put files of their own there.
std::optional<int64_t> AvailableMemoryBytes(const std::filesystem::path& root = "/");

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_AVAILABLE_MEMORY_H_
