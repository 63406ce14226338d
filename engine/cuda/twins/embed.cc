#include "engine/cuda/kernels/embed.h"

namespace memory3::cuda::twin {

template <typename T>
void Embed(const EmbedArgs<T>& args) {
  for (int64_t row = 0; row < args.row_count; ++row) {
    for (int32_t i = 0; i < args.hidden; ++i) {
      float value = 0;
      if (args.rows.sequence[row] >= 0) {
        const int32_t named = args.rows.token[row];
        const int64_t token = named >= 0 ? named : args.sampled[-1 - named];
        value = ToFloat(args.table[token * args.hidden + i]);
      }
      args.residual[row * args.hidden + i] = value;
    }
  }
}

template void Embed(const EmbedArgs<float>&);
template void Embed(const EmbedArgs<BFloat16>&);

}  // namespace memory3::cuda::twin
