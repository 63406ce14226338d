// A folder of a test's own, removed with it, and helpers for the bytes of files in it.
#ifndef MEMORY3_TESTS_UNIT_RETRIEVAL_TEMP_DIR_H_
#define MEMORY3_TESTS_UNIT_RETRIEVAL_TEMP_DIR_H_

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "engine/base/check.h"

namespace memory3 {

class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "memory3-XXXXXX").string();
    M3_CHECK(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::string ReadBytes(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void WriteBytes(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

}  // namespace memory3

#endif  // MEMORY3_TESTS_UNIT_RETRIEVAL_TEMP_DIR_H_
