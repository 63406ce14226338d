// Errors that name the field of a request they are about, so that a front can answer with the
// field's name (google.rpc.BadRequest over gRPC) without reading prose.
//
//   return FieldError("top_p", "must be in (0, 1], got 1.5");   // "top_p: must be in (0, 1], ..."
//   if (std::optional<std::string> field = FieldOf(status)) { ... }
#ifndef MEMORY3_ENGINE_BASE_FIELD_ERROR_H_
#define MEMORY3_ENGINE_BASE_FIELD_ERROR_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace memory3 {

// Where the status carries the field's name.
inline constexpr std::string_view kFieldPayloadUrl = "memory3.field";

// InvalidArgument with the message "<field>: <problem>" and the field as a payload.
absl::Status FieldError(std::string_view field, std::string_view problem);

// The field a status is about; nullopt when it names none.
std::optional<std::string> FieldOf(const absl::Status& status);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_BASE_FIELD_ERROR_H_
