#include "tools/chat_memory.h"

#include <grpcpp/client_context.h>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tools/rpc_client.h"

namespace memory3 {
namespace {

constexpr absl::Duration kFetchTimeout = absl::Seconds(5);

const char* NameOf(v1::MemoryTier tier) {
  switch (tier) {
    case v1::MEMORY_TIER_DEVICE:
      return "device";
    case v1::MEMORY_TIER_HOST:
      return "host";
    case v1::MEMORY_TIER_DISK:
      return "disk";
    case v1::MEMORY_TIER_ENCODED:
      return "encoded";
    default:
      return "unknown";
  }
}

// White space of any kind becomes single spaces; cut between characters, never inside one.
std::string OneLine(std::string text) {
  absl::RemoveExtraAsciiWhitespace(&text);
  for (char& c : text) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  int characters = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (begins && characters++ == ReferenceTexts::kMaxShownCharacters) {
      return text.substr(0, i) + "...";
    }
  }
  return text;
}

std::string DescribeChunk(const v1::MemoryChunk& chunk) {
  std::string line = absl::StrFormat(
      "chunk %d, from token %d: retrieved in %.3g ms, waited %.3g ms", chunk.index(),
      chunk.first_token(), chunk.retrieval_seconds() * 1e3, chunk.wait_seconds() * 1e3);
  if (chunk.late()) absl::StrAppend(&line, ", late");
  if (chunk.degraded()) absl::StrAppend(&line, ", degraded");
  if (!chunk.reason().empty()) absl::StrAppend(&line, ": ", chunk.reason());
  return line + "\n";
}

}  // namespace

const std::string& ReferenceTexts::Shown(uint64_t bank_epoch, uint64_t memory_id) {
  const auto [entry, added] = shown_.try_emplace({bank_epoch, memory_id});
  std::string& shown = entry->second;
  if (!added) return shown;
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kFetchTimeout));
  v1::GetReferenceRequest request;
  request.set_memory_id(memory_id);
  request.set_bank_epoch(bank_epoch);
  v1::Reference reference;
  const grpc::Status status = stub_->GetReference(&context, request, &reference);
  if (!status.ok()) {
    shown = absl::StrCat("[no text: ", Describe(status), "]");
  } else if (reference.title().empty()) {
    shown = OneLine(std::move(*reference.mutable_text()));
  } else {
    shown = OneLine(absl::StrCat(reference.title(), ": ", reference.text()));
  }
  return shown;
}

std::string DescribeMemories(const std::vector<v1::MemoryChunk>& chunks, ReferenceTexts& texts) {
  std::string out;
  absl::flat_hash_set<std::pair<uint64_t, uint64_t>> written;
  for (const v1::MemoryChunk& chunk : chunks) {
    absl::StrAppend(&out, DescribeChunk(chunk));
    for (const v1::UsedMemory& memory : chunk.memories()) {
      absl::StrAppendFormat(&out, "  %d  %.3f  %s %.3g ms  ", memory.memory_id(), memory.score(),
                            NameOf(memory.tier()), memory.load_seconds() * 1e3);
      const bool first = written.insert({chunk.bank_epoch(), memory.memory_id()}).second;
      absl::StrAppend(&out, first ? texts.Shown(chunk.bank_epoch(), memory.memory_id()) : "(above)",
                      "\n");
    }
  }
  return out;
}

}  // namespace memory3
