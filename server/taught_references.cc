#include "server/taught_references.h"

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/base/field_error.h"
#include "engine/base/status_macros.h"

namespace memory3 {
namespace {

constexpr absl::Duration kRefreshTimeout = absl::Seconds(10);

using EncodedMemory = std::shared_ptr<const MemoryTensor>;

absl::StatusOr<TaughtLog*> LogOf(const ServedMemory& memory) {
  if (memory.taught() != nullptr) return memory.taught();
  return absl::FailedPreconditionError("nothing can be taught to this server (--taught_dir=none)");
}

absl::Status CheckLabels(const ReferenceText& reference) {
  for (const auto& [name, text] :
       {std::pair<std::string_view, const std::string&>("title", reference.title),
        {"source", reference.source},
        {"source_id", reference.source_id}}) {
    if (text.size() > kMaxReferenceLabelBytes) {
      return FieldError(name, absl::StrCat("must have at most ", kMaxReferenceLabelBytes,
                                           " bytes, got ", text.size()));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int32_t>> Tokens(const ServedMemory::Model& model,
                                            const std::string& text) {
  if (text.empty()) return FieldError("text", "is empty");
  std::vector<int32_t> ids =
      model.tokenizer->Encode(text, {.add_special_tokens = false, .parse_special_tokens = false});
  if (ids.empty()) return FieldError("text", "has no tokens");
  if (ids.size() > static_cast<size_t>(model.reference_tokens)) {
    return FieldError("text", absl::StrCat("has ", ids.size(), " tokens; a reference has at most ",
                                           model.reference_tokens));
  }
  return ids;
}

absl::StatusOr<EncodedMemory> Encode(Engine& engine, std::vector<int32_t> ids) {
  // The engine calls back exactly once, at the latest when it is destroyed: after this call's
  // queue.
  auto encoded = std::make_shared<std::promise<absl::StatusOr<EncodedMemory>>>();
  std::future<absl::StatusOr<EncodedMemory>> result = encoded->get_future();
  M3_RETURN_IF_ERROR(engine.EncodeReferences(
      {std::move(ids)}, [encoded](absl::StatusOr<std::vector<EncodedMemory>> memories) {
        if (memories.ok()) {
          encoded->set_value(std::move(memories->front()));
        } else {
          encoded->set_value(memories.status());
        }
      }));
  return result.get();
}

absl::Status TellSidecar(ServedMemory& memory, const std::string& what) {
  const absl::Status told = memory.retrieval().Refresh(kRefreshTimeout);
  if (told.ok()) return told;
  return absl::FailedPreconditionError(absl::StrCat(
      what, ", but the sidecar has not taken it up yet and will when it can: ", told.message()));
}

}  // namespace

absl::StatusOr<MemoryId> Teach(Engine& engine, ServedMemory& memory, ReferenceText* reference) {
  M3_ASSIGN_OR_RETURN(TaughtLog * log, LogOf(memory));
  M3_RETURN_IF_ERROR(CheckLabels(*reference));
  M3_ASSIGN_OR_RETURN(std::vector<int32_t> ids, Tokens(memory.model(), reference->text));
  M3_ASSIGN_OR_RETURN(const std::optional<MemoryId> known,
                      memory.store().FindText(reference->text));
  if (known.has_value()) {
    M3_ASSIGN_OR_RETURN(*reference, memory.store().Text({memory.store().epoch(), *known}));
    M3_RETURN_IF_ERROR(TellSidecar(memory, absl::StrCat("reference ", *known, " is stored")));
    return *known;
  }
  reference->tokens = static_cast<int>(ids.size());
  M3_ASSIGN_OR_RETURN(const EncodedMemory encoded, Encode(engine, std::move(ids)));
  M3_ASSIGN_OR_RETURN(const MemoryId id, log->Add(*reference, encoded->tokens, encoded->bytes));
  memory.loader().Insert({memory.store().epoch(), id}, encoded);
  M3_RETURN_IF_ERROR(TellSidecar(memory, absl::StrCat("reference ", id, " is stored")));
  return id;
}

absl::Status Unteach(ServedMemory& memory, MemoryId id) {
  M3_ASSIGN_OR_RETURN(TaughtLog * log, LogOf(memory));
  const MemoryKey key = {memory.store().epoch(), id};
  // Neither unknown nor deleted before.
  M3_RETURN_IF_ERROR(memory.store().Text(key).status());
  M3_RETURN_IF_ERROR(log->Delete(key));
  memory.loader().Forget(key);
  return TellSidecar(memory, absl::StrCat("reference ", id, " is deleted and not used any more"));
}

}  // namespace memory3
