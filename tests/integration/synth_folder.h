// Random models in temporary folders, for tests of the server.
#ifndef MEMORY3_TESTS_INTEGRATION_SYNTH_FOLDER_H_
#define MEMORY3_TESTS_INTEGRATION_SYNTH_FOLDER_H_

#include <filesystem>

#include "tools/synth_model.h"

namespace memory3 {

// Answers in milliseconds.
SynthShape QuickShape();
// Long enough a context, and steps slow enough, that a test meets a request in the midst of its
// work.
SynthShape LongShape();

// A model folder that lives as long as the object.
class SynthFolder {
 public:
  explicit SynthFolder(const SynthShape& shape);
  ~SynthFolder();
  SynthFolder(const SynthFolder&) = delete;
  SynthFolder& operator=(const SynthFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// One of each for the whole test program.
const std::filesystem::path& QuickModel();
const std::filesystem::path& LongModel();

}  // namespace memory3

#endif  // MEMORY3_TESTS_INTEGRATION_SYNTH_FOLDER_H_
