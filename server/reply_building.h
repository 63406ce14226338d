// GenerationEvent -> ChatChunk and ChatCompletion. Pure functions; no gRPC.
#ifndef MEMORY3_SERVER_REPLY_BUILDING_H_
#define MEMORY3_SERVER_REPLY_BUILDING_H_

#include <cstdint>
#include <string>

#include "engine/generation.h"
#include "memory3/v1/chat.pb.h"

namespace memory3 {

// What every piece of one answer says about it.
struct ReplyHeader {
  std::string id;
  int64_t created_seconds = 0;
  std::string model;
  uint64_t seed = 0;
  bool logprobs = false;  // asked for
};

void SetHeader(const ReplyHeader& header, bool first, v1::ChatChunk* chunk);
void SetHeader(const ReplyHeader& header, v1::ChatCompletion* completion);

// Adds an event to a reply that may hold earlier ones already.
void AppendEvent(GenerationEvent event, const ReplyHeader& header, v1::ChatChunk* chunk);
void AppendEvent(GenerationEvent event, const ReplyHeader& header, v1::ChatCompletion* completion);

}  // namespace memory3

#endif  // MEMORY3_SERVER_REPLY_BUILDING_H_
