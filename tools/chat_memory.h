// The memories behind an answer, for people: what each chunk saw, with the texts of its references.
#ifndef MEMORY3_TOOLS_CHAT_MEMORY_H_
#define MEMORY3_TOOLS_CHAT_MEMORY_H_

#include <grpcpp/channel.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "memory3/v1/bank.grpc.pb.h"
#include "memory3/v1/chat.pb.h"

namespace memory3 {

// Texts fetched from the server's BankService, each once. Not thread-safe.
class ReferenceTexts {
 public:
  explicit ReferenceTexts(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(v1::BankService::NewStub(channel)) {}

  // "Title: text" on one line, cut to kMaxShownCharacters; the reason in brackets when the server
  // has no text for it (any more).
  const std::string& Shown(uint64_t bank_epoch, uint64_t memory_id);

  static constexpr int kMaxShownCharacters = 300;

 private:
  const std::unique_ptr<v1::BankService::Stub> stub_;
  absl::flat_hash_map<std::pair<uint64_t, uint64_t>, std::string> shown_;
};

// A paragraph per chunk: from which token on, what it cost, and a line per memory with score, tier,
// load time and text. A text is written out where it first appears.
std::string DescribeMemories(const std::vector<v1::MemoryChunk>& chunks, ReferenceTexts& texts);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_CHAT_MEMORY_H_
