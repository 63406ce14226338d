// What the gRPC services share. Plain pointers: the Server owns everything and outlives the calls.
#ifndef MEMORY3_SERVER_FRONT_H_
#define MEMORY3_SERVER_FRONT_H_

#include "common/log.h"
#include "common/work_queue.h"
#include "server/active_calls.h"
#include "server/dispatcher.h"
#include "server/metrics.h"
#include "server/random_source.h"
#include "server/serving_state.h"

namespace memory3 {

struct Front {
  const ServingState* state = nullptr;
  WorkQueue* work = nullptr;         // parses and tokenizes
  Dispatcher* dispatcher = nullptr;  // carries events from the engine to the calls
  ActiveCalls* calls = nullptr;
  ServerMetrics* metrics = nullptr;
  RandomSource* random = nullptr;
  Logger* log = nullptr;
};

}  // namespace memory3

#endif  // MEMORY3_SERVER_FRONT_H_
