// What a server with explicit memory stands on, for tests: a random model, banks that memory3-bank
// built for it, and the real sidecar in this process.
#ifndef MEMORY3_TESTS_INTEGRATION_MEMORY_SERVER_H_
#define MEMORY3_TESTS_INTEGRATION_MEMORY_SERVER_H_

#include <filesystem>
#include <memory>
#include <string>

#include "common/log.h"
#include "retrieval/service/retrieval_server.h"
#include "server/options.h"

namespace memory3 {

// Small enough for a test to see many chunks.
inline constexpr char kTestMemoryConfig[] =
    R"({"chunk_tokens": 16, "reference_tokens": 64, "kept_tokens": 4, "memories_per_chunk": 3})";
inline constexpr int kTestMemoriesPerChunk = 3;
inline constexpr int kTestReferences = 40;  // of a built bank

// Whether a built bank has memories, or texts alone (memory3-bank --cold).
enum class BankKind { kEncoded, kCold };

// Runs memory3-bank; fails the program when it does.
void BuildTestBank(const std::filesystem::path& model, const std::filesystem::path& out, int epoch,
                   BankKind kind);

// A folder with a link `bank` to a bank of epoch 1, and room for what is taught.
class MemoryFolder {
 public:
  explicit MemoryFolder(BankKind kind = BankKind::kEncoded);
  ~MemoryFolder();
  MemoryFolder(const MemoryFolder&) = delete;
  MemoryFolder& operator=(const MemoryFolder&) = delete;

  std::filesystem::path bank() const { return path_ / "bank"; }
  std::filesystem::path taught() const { return path_ / "taught"; }
  std::string sidecar_address() const { return "unix:" + (path_ / "sidecar").string(); }
  // Puts a bank of this epoch in the place of the one before, in one step.
  void Publish(int epoch, BankKind kind = BankKind::kEncoded);
  // Puts a folder there that is no whole bank.
  void PublishDamaged();

  ServerOptions server_options() const;

 private:
  void TurnTo(const std::filesystem::path& bank);

  std::filesystem::path path_;
};

// memory3-retrieval in this process; may go and come back at the same address.
class TestSidecar {
 public:
  explicit TestSidecar(const MemoryFolder& folder);
  ~TestSidecar();

  // Returns once it answers.
  void Start();
  // Has it look at the bank now, and returns when it has.
  void Refresh();
  // As a crash would: calls in progress are dropped.
  void Stop();

 private:
  RetrievalOptions options_;
  std::FILE* const log_file_;
  Logger log_;
  std::unique_ptr<RetrievalServer> server_;
};

}  // namespace memory3

#endif  // MEMORY3_TESTS_INTEGRATION_MEMORY_SERVER_H_
