#include "tools/model_cost.h"

namespace memory3 {

int64_t BlockWeights(const ModelConfig& config) {
  const int64_t hidden = config.hidden;
  const int64_t attention = hidden * (config.q_width() + 2 * config.kv_width()) +  // q, k, v
                            hidden * config.q_width();                             // o
  const int64_t mlp = 3 * hidden * config.mlp;                                     // gate, up, down
  return config.layers * (attention + mlp);
}

double FlopsPerPromptToken(const ModelConfig& config, double context) {
  const double attention = 4.0 * config.layers * config.q_width() * context;
  return 2.0 * static_cast<double>(BlockWeights(config)) + attention;
}

int64_t KvBytesPerToken(const ModelConfig& config, int bytes_per_value) {
  return int64_t{2} * config.layers * config.kv_width() * bytes_per_value;
}

}  // namespace memory3
