// From a model folder to a model that serves.
#ifndef MEMORY3_SERVER_MODEL_LOADER_H_
#define MEMORY3_SERVER_MODEL_LOADER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "engine/engine.h"
#include "server/options.h"
#include "server/served_model.h"

namespace memory3 {

// Reads, checks and packs everything; takes seconds for gigabytes. Errors name the file. `observer`
// must outlive the model.
absl::StatusOr<std::unique_ptr<ServedModel>> LoadServedModel(const ServerOptions& options,
                                                             EngineObserver* observer);

// Runs one short request through the engine, so that nobody's first request pays for first touches.
absl::Status WarmUp(ServedModel& model);

}  // namespace memory3

#endif  // MEMORY3_SERVER_MODEL_LOADER_H_
