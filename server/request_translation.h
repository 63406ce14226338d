// ChatRequest -> GenerationRequest: the one place where absent fields get their defaults and where
// a request's form is checked. Pure functions; no gRPC. What needs the model's numbers only
// (sampling ranges, ids outside the vocabulary's penalties ...) is checked by the engine with the
// same field names.
#ifndef MEMORY3_SERVER_REQUEST_TRANSLATION_H_
#define MEMORY3_SERVER_REQUEST_TRANSLATION_H_

#include <google/protobuf/repeated_ptr_field.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/generation.h"
#include "memory3/v1/chat.pb.h"
#include "server/request_context.h"

namespace memory3 {

// NotFound unless `model` is empty or a served name.
absl::Status CheckModelName(std::string_view model, const RequestContext& context);

// `drawn_seed` is used when the request has none. InvalidArgument naming the field, or NotFound for
// the model.
absl::StatusOr<GenerationRequest> TranslateRequest(const v1::ChatRequest& request,
                                                   const RequestContext& context,
                                                   uint64_t drawn_seed);

// The conversation as text, and as the ids the model gets. InvalidArgument naming "messages" when
// the model has no chat template or the template refuses them.
struct RenderedPrompt {
  std::string text;
  std::vector<int32_t> ids;
};
absl::StatusOr<RenderedPrompt> RenderMessages(
    const google::protobuf::RepeatedPtrField<v1::Message>& messages, const RequestContext& context);

}  // namespace memory3

#endif  // MEMORY3_SERVER_REQUEST_TRANSLATION_H_
