// Files, jobs and a disobedient system for tests of readers.
#ifndef MEMORY3_TESTS_UNIT_MEMORY_READER_TESTING_H_
#define MEMORY3_TESTS_UNIT_MEMORY_READER_TESTING_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "engine/memory/memory_reader.h"

namespace memory3 {

// A new folder, removed with everything in it at the end.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path Write(const std::string& name, const std::string& bytes) const;
  std::shared_ptr<const RecordFile> WriteAndOpen(const std::string& name, const std::string& bytes,
                                                 bool direct) const;

 private:
  std::filesystem::path path_;
};

std::string RandomBytes(uint64_t seed, size_t count);

// The bytes, or what the job ended with. Waits.
absl::StatusOr<std::string> ReadAndWait(MemoryReader& reader,
                                        std::shared_ptr<const RecordFile> file, int64_t offset,
                                        int64_t length);

// Runs `body` on a thread for which the kernel answers `error` to one system call, as a container's
// seccomp profile does; threads it starts inherit that. `second_argument` >= 0 limits it to calls
// with that value there.
void WithDeniedSystemCall(int number, int error, int second_argument,
                          absl::FunctionRef<void()> body);

}  // namespace memory3

#endif  // MEMORY3_TESTS_UNIT_MEMORY_READER_TESTING_H_
