#include "server/bank_service.h"

#include "engine/base/status_macros.h"
#include "server/taught_references.h"
#include "server/unary_call.h"

namespace memory3 {
namespace {

absl::StatusOr<ServedMemory*> MemoryOf(const ServedModel& model) {
  if (model.memory != nullptr) return model.memory.get();
  return absl::FailedPreconditionError("this server has no bank (--bank)");
}

v1::Reference ToProto(MemoryId id, const ReferenceText& reference) {
  v1::Reference out;
  out.set_memory_id(id);
  out.set_text(reference.text);
  out.set_title(reference.title);
  out.set_source(reference.source);
  out.set_source_id(reference.source_id);
  out.set_tokens(reference.tokens);
  return out;
}

absl::StatusOr<v1::BankInfo> GetBankReply(const v1::GetBankRequest&, const ServedModel& model) {
  M3_ASSIGN_OR_RETURN(const ServedMemory* memory, MemoryOf(model));
  const std::shared_ptr<const Bank> bank = memory->store().bank();
  v1::BankInfo out;
  out.set_epoch(bank->manifest().epoch);
  out.set_references(bank->count());
  if (const TaughtLog* taught = memory->taught(); taught != nullptr) {
    out.set_taught_references(taught->taught());
    out.set_deleted_references(taught->deleted());
  }
  out.set_model_fingerprint(bank->manifest().model_fingerprint);
  out.set_record_bytes(bank->manifest().record_bytes);
  out.set_memories_per_chunk(memory->model().memories_per_chunk);
  out.set_max_reference_tokens(memory->model().reference_tokens);
  return out;
}

absl::StatusOr<v1::Reference> GetReferenceReply(const v1::GetReferenceRequest& request,
                                                const ServedModel& model) {
  M3_ASSIGN_OR_RETURN(const ServedMemory* memory, MemoryOf(model));
  const BankStore& store = memory->store();
  const uint64_t epoch = request.bank_epoch() != 0 ? request.bank_epoch() : store.epoch();
  M3_ASSIGN_OR_RETURN(const ReferenceText text, store.Text({epoch, request.memory_id()}));
  return ToProto(request.memory_id(), text);
}

absl::StatusOr<v1::Reference> AddReferenceReply(const v1::AddReferenceRequest& request,
                                                const ServedModel& model) {
  M3_ASSIGN_OR_RETURN(ServedMemory * memory, MemoryOf(model));
  ReferenceText reference = {.text = request.text(),
                             .title = request.title(),
                             .source = request.source(),
                             .source_id = request.source_id()};
  M3_ASSIGN_OR_RETURN(const MemoryId id, Teach(*model.engine, *memory, &reference));
  return ToProto(id, reference);
}

absl::StatusOr<v1::DeleteReferenceResponse> DeleteReferenceReply(
    const v1::DeleteReferenceRequest& request, const ServedModel& model) {
  M3_ASSIGN_OR_RETURN(ServedMemory * memory, MemoryOf(model));
  M3_RETURN_IF_ERROR(Unteach(*memory, request.memory_id()));
  return v1::DeleteReferenceResponse();
}

}  // namespace

grpc::ServerUnaryReactor* BankServiceImpl::GetBank(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* request,
                                                   grpc::ByteBuffer* response) {
  return AnswerUnary<v1::GetBankRequest>(front_, context, *request, response, GetBankReply);
}

grpc::ServerUnaryReactor* BankServiceImpl::GetReference(grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* request,
                                                        grpc::ByteBuffer* response) {
  return AnswerUnary<v1::GetReferenceRequest>(front_, context, *request, response,
                                              GetReferenceReply);
}

grpc::ServerUnaryReactor* BankServiceImpl::AddReference(grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* request,
                                                        grpc::ByteBuffer* response) {
  return AnswerUnaryOn<v1::AddReferenceRequest>(changes_, front_.state,
                                                &ServingState::ModelForGeneration, context,
                                                *request, response, AddReferenceReply);
}

grpc::ServerUnaryReactor* BankServiceImpl::DeleteReference(grpc::CallbackServerContext* context,
                                                           const grpc::ByteBuffer* request,
                                                           grpc::ByteBuffer* response) {
  return AnswerUnaryOn<v1::DeleteReferenceRequest>(changes_, front_.state,
                                                   &ServingState::ModelForGeneration, context,
                                                   *request, response, DeleteReferenceReply);
}

}  // namespace memory3
