// Early return on error, for functions that return absl::Status or absl::StatusOr.
//
//   M3_RETURN_IF_ERROR(ReadHeader(file));
//   M3_ASSIGN_OR_RETURN(Header header, ParseHeader(bytes));
#ifndef MEMORY3_ENGINE_BASE_STATUS_MACROS_H_
#define MEMORY3_ENGINE_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define M3_CONCAT_INNER_(a, b) a##b
#define M3_CONCAT_(a, b) M3_CONCAT_INNER_(a, b)

#define M3_RETURN_IF_ERROR(expression)      \
  do {                                      \
    absl::Status m3_status_ = (expression); \
    if (!m3_status_.ok()) [[unlikely]]      \
      return m3_status_;                    \
  } while (false)

#define M3_ASSIGN_OR_RETURN(declaration, expression) \
  M3_ASSIGN_OR_RETURN_IMPL_(M3_CONCAT_(m3_status_or_, __LINE__), declaration, expression)

#define M3_ASSIGN_OR_RETURN_IMPL_(status_or, declaration, expression) \
  auto status_or = (expression);                                      \
  if (!status_or.ok()) [[unlikely]]                                   \
    return status_or.status();                                        \
  declaration = *std::move(status_or)

#endif  // MEMORY3_ENGINE_BASE_STATUS_MACROS_H_
