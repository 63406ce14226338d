#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/field_error.h"
#include "engine/base/status_macros.h"
#include "server/request_translation.h"
#include "server/services.h"
#include "server/unary_call.h"

namespace memory3 {
namespace {

absl::StatusOr<std::vector<int32_t>> Encode(const v1::TokenizeRequest& request,
                                            const ServedModel& model, std::string* rendered) {
  if (request.has_text() == !request.messages().empty()) {
    return FieldError(request.has_text() ? "text" : "messages",
                      "exactly one of text and messages must be given");
  }
  if (request.has_text()) {
    const bool add_special = !request.has_add_special_tokens() || request.add_special_tokens();
    return model.tokenizer->Encode(
        request.text(), {.add_special_tokens = add_special, .parse_special_tokens = true});
  }
  if (request.add_special_tokens()) {
    return FieldError("add_special_tokens", "is for text; messages get what the template writes");
  }
  M3_ASSIGN_OR_RETURN(RenderedPrompt prompt, RenderMessages(request.messages(), model.context));
  *rendered = std::move(prompt.text);
  return std::move(prompt.ids);
}

absl::StatusOr<v1::TokenizeResponse> TokenizeText(const v1::TokenizeRequest& request,
                                                  const ServedModel& model) {
  M3_RETURN_IF_ERROR(CheckModelName(request.model(), model.context));
  v1::TokenizeResponse reply;
  M3_ASSIGN_OR_RETURN(const std::vector<int32_t> ids,
                      Encode(request, model, reply.mutable_rendered()));
  reply.mutable_token_ids()->Add(ids.begin(), ids.end());
  for (const int32_t id : ids) reply.add_tokens(model.tokenizer->TokenBytes(id));
  return reply;
}

absl::StatusOr<v1::DetokenizeResponse> DetokenizeIds(const v1::DetokenizeRequest& request,
                                                     const ServedModel& model) {
  M3_RETURN_IF_ERROR(CheckModelName(request.model(), model.context));
  const int vocab = model.tokenizer->vocab_size();
  for (int i = 0; i < request.token_ids_size(); ++i) {
    const int32_t id = request.token_ids(i);
    if (id >= 0 && id < vocab) continue;
    return FieldError(absl::StrCat("token_ids[", i, "]"),
                      absl::StrCat("must be in [0, ", vocab, "), got ", id));
  }
  v1::DetokenizeResponse reply;
  const bool skip_special = !request.has_skip_special_tokens() || request.skip_special_tokens();
  reply.set_text(model.tokenizer->Decode(request.token_ids(), skip_special));
  return reply;
}

}  // namespace

grpc::ServerUnaryReactor* TokenizerServiceImpl::Tokenize(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request,
                                                         grpc::ByteBuffer* response) {
  return AnswerUnary<v1::TokenizeRequest>(front_, context, *request, response, TokenizeText);
}

grpc::ServerUnaryReactor* TokenizerServiceImpl::Detokenize(grpc::CallbackServerContext* context,
                                                           const grpc::ByteBuffer* request,
                                                           grpc::ByteBuffer* response) {
  return AnswerUnary<v1::DetokenizeRequest>(front_, context, *request, response, DetokenizeIds);
}

}  // namespace memory3
