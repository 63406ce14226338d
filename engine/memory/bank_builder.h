// Builds a bank: documents to references, references to memories, all of it to a folder that
// appears under its name only when it is complete.
//
// Works in OUT.partial. A build that was killed goes on where it stopped: a record file that was
// finished is checked and kept. The same documents, model and options give the same bytes, killed
// in between or not.
#ifndef MEMORY3_ENGINE_MEMORY_BANK_BUILDER_H_
#define MEMORY3_ENGINE_MEMORY_BANK_BUILDER_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/memory/bank/manifest.h"
#include "engine/memory/bank/texts_file.h"
#include "engine/memory/texts_writer.h"
#include "engine/runner/runner.h"
#include "engine/text/tokenizer.h"

namespace memory3 {

struct BankBuildOptions {
  std::filesystem::path input;  // file or folder: see reference_source.h
  std::filesystem::path out;    // must not exist
  uint64_t epoch = 1;
  bool cold = false;             // texts and index only: memories are encoded on first retrieval
  int64_t records_per_file = 0;  // 0: RecordsPerFile
  bool restart = false;          // throws away what an unfinished build with other options left
  std::string model_fingerprint;
  std::string encoder_options;  // whatever else decides the memories' bytes, as text
  std::string index_options;    // whatever decides the index's bytes, as text
};

struct BankBuildHooks {
  // Called now and then on the building thread: "read", "encode" or "index".
  std::function<void(std::string_view stage, int64_t done, int64_t total)> progress;
  // Makes the index of the texts in `out_dir`, all files synced; returns the embedder's name.
  std::function<absl::StatusOr<std::string>(const TextsFile& texts,
                                            const std::filesystem::path& out_dir)>
      build_index;
};

struct BankBuildResult {
  BankManifest manifest;
  int64_t documents = 0;
  int64_t duplicates = 0;  // references dropped because an equal one came before
  int64_t encoded = 0;     // references encoded now, not in an earlier, killed build
};

class BankBuilder {
 public:
  // Everything passed must outlive the builder. The runner was made with memory, in bf16.
  BankBuilder(const BankBuildOptions& options, const BankBuildHooks& hooks, Runner& runner,
              const Tokenizer& tokenizer);
  ~BankBuilder();
  BankBuilder(const BankBuilder&) = delete;
  BankBuilder& operator=(const BankBuilder&) = delete;

  // Once. AlreadyExists when `out` does, FailedPrecondition when OUT.partial is of another build or
  // another process builds there, InvalidArgument naming the input's file and line.
  absl::StatusOr<BankBuildResult> Build();

 private:
  // Nobody else may build in the folder while this object lives.
  absl::Status Lock();
  absl::Status WriteTexts();
  absl::Status AddDocuments(TextsWriter& writer);
  std::string Describe() const;
  // Refuses to go on with what another build left, or throws it away.
  absl::Status ClaimFolder(const std::string& description);
  absl::Status WriteRecords();
  absl::Status Encode(int64_t first, int64_t count,
                      std::vector<std::shared_ptr<const MemoryTensor>>* memories);
  absl::Status WriteIndex();
  absl::Status Publish();
  absl::Status ListFiles();
  // Removes what is not listed: parts, and what killed builds left half-written.
  absl::Status RemoveUnlisted() const;
  void Progress(std::string_view stage, int64_t done, int64_t total) const;

  const BankBuildOptions& options_;
  const BankBuildHooks& hooks_;
  Runner& runner_;
  const Tokenizer& tokenizer_;
  const std::filesystem::path folder_;  // OUT.partial
  BankBuildResult result_;
  std::unique_ptr<const TextsFile> texts_;
  std::string texts_digest_;
  int lock_fd_ = -1;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_BANK_BUILDER_H_
