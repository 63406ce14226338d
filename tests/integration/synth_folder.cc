#include "tests/integration/synth_folder.h"

#include <stdlib.h>

#include <string>
#include <system_error>

#include "engine/base/check.h"
#include "gtest/gtest.h"

namespace memory3 {

SynthShape QuickShape() {
  return {.hidden = 64,
          .layers = 2,
          .heads = 4,
          .kv_heads = 2,
          .head_dim = 16,
          .mlp = 128,
          .vocab = 300,
          .context = 512};
}

SynthShape LongShape() {
  return {.hidden = 256,
          .layers = 6,
          .heads = 8,
          .kv_heads = 2,
          .head_dim = 32,
          .mlp = 768,
          .vocab = 300,
          .context = 16384};
}

SynthFolder::SynthFolder(const SynthShape& shape) {
  std::string pattern = testing::TempDir() + "/m3_server_XXXXXX";
  M3_CHECK(mkdtemp(pattern.data()) != nullptr);
  path_ = pattern;
  const absl::Status written = WriteSynthModel(shape, {.seed = 7}, path_ / "synth");
  M3_CHECK(written.ok());
  path_ /= "synth";
}

SynthFolder::~SynthFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_.parent_path(), ignored);
}

const std::filesystem::path& QuickModel() {
  static const SynthFolder folder(QuickShape());
  return folder.path();
}

const std::filesystem::path& LongModel() {
  static const SynthFolder folder(LongShape());
  return folder.path();
}

}  // namespace memory3
