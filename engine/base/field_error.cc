#include "engine/base/field_error.h"

#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"

namespace memory3 {
namespace {

// Abseil's string_view is a type of its own in this release.
absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

absl::Status FieldError(std::string_view field, std::string_view problem) {
  std::string message(field);
  message.append(": ").append(problem);
  absl::Status status = absl::InvalidArgumentError(message);
  status.SetPayload(ToAbsl(kFieldPayloadUrl), absl::Cord(ToAbsl(field)));
  return status;
}

std::optional<std::string> FieldOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(ToAbsl(kFieldPayloadUrl));
  if (!payload.has_value()) return std::nullopt;
  return std::string(*payload);
}

}  // namespace memory3
