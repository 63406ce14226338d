// The loaded model with everything that serves it.
#ifndef MEMORY3_SERVER_SERVED_MODEL_H_
#define MEMORY3_SERVER_SERVED_MODEL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/engine.h"
#include "engine/model/model_config.h"
#include "engine/text/chat_template.h"
#include "engine/text/tokenizer.h"
#include "server/request_context.h"
#include "server/served_memory.h"
#include "server/special_token_index.h"

namespace memory3 {

// Immutable once loaded, but for the engine, which is thread-safe. `context` points into the rest,
// so an object stays where it was made.
struct ServedModel {
  ServedModel() = default;
  ServedModel(const ServedModel&) = delete;
  ServedModel& operator=(const ServedModel&) = delete;

  ModelConfig config;
  int64_t parameters = 0;
  std::string dtype;  // of the weights in memory: "bf16"
  std::unique_ptr<Tokenizer> tokenizer;
  std::optional<ChatTemplate> chat_template;
  std::optional<SpecialTokenIndex> special_tokens;
  RequestContext context;
  std::unique_ptr<ServedMemory> memory;  // null: a plain decoder
  std::unique_ptr<Engine> engine;        // last, as it uses the tokenizer and the memory
};

}  // namespace memory3

#endif  // MEMORY3_SERVER_SERVED_MODEL_H_
