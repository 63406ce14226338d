// The flags of memory3-server.
#ifndef MEMORY3_SERVER_FLAGS_H_
#define MEMORY3_SERVER_FLAGS_H_

#include "absl/status/statusor.h"
#include "server/options.h"

namespace memory3 {

// InvalidArgument that begins with the flag's name ("--max_sequences: ...").
absl::StatusOr<ServerOptions> OptionsFromFlags();

}  // namespace memory3

#endif  // MEMORY3_SERVER_FLAGS_H_
