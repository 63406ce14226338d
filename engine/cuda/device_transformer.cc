#include "engine/cuda/device_transformer.h"

#include <algorithm>

#include "engine/base/status_macros.h"
#include "engine/cuda/kernels/embed.h"
#include "engine/cuda/kernels/rms_norm.h"
#include "engine/cuda/kernels/rope_store.h"

namespace memory3::cuda {

template <typename T>
void DeviceTransformer<T>::Embed(Stream& stream, const DeviceStep<T>& step) {
  cuda::Embed(stream, EmbedArgs<T>{.rows = step.input->rows(),
                                   .table = model_.embedding(),
                                   .sampled = step.sampled,
                                   .residual = work_.residual,
                                   .row_count = step.input->sizes().rows,
                                   .hidden = config_.hidden});
}

template <typename T>
void DeviceTransformer<T>::Normalize(Stream& stream, const T* weight, int32_t rows) {
  RmsNorm(stream, RmsNormArgs<T>{.residual = work_.residual,
                                 .weight = weight,
                                 .out = work_.normed,
                                 .rows = rows,
                                 .width = config_.hidden,
                                 .epsilon = static_cast<float>(config_.rms_norm_eps)});
}

template <typename T>
void DeviceTransformer<T>::Project(Stream& stream, const DeviceStep<T>& step, int index) {
  const int32_t rows = step.input->sizes().rows;
  Normalize(stream, model_.layer(index).input_norm, rows);
  products_.Multiply(stream, step.rule,
                     ProductArgs<T, T>{.x = work_.normed,
                                       .w = model_.layer(index).qkv,
                                       .y = work_.qkv,
                                       .rows = rows,
                                       .inputs = config_.hidden,
                                       .outputs = config_.q_width() + 2 * config_.kv_width()});
}

template <typename T>
void DeviceTransformer<T>::Store(Stream& stream, const DeviceStep<T>& step, int index) {
  RopeStore(stream, RopeStoreArgs<T>{.shape = attention_shape(),
                                     .qkv = work_.qkv,
                                     .bias = model_.layer(index).qkv_bias,
                                     .rope = model_.rope(),
                                     .rows = step.input->rows(),
                                     .queries = work_.queries,
                                     .cache = AttentionOf(step, index).context,
                                     .row_count = step.input->sizes().rows});
}

template <typename T>
AttentionArgs<T> DeviceTransformer<T>::AttentionOf(const DeviceStep<T>& step, int index) const {
  AttentionArgs<T> args = {.shape = attention_shape(),
                           .queries = work_.queries,
                           .out = work_.attention,
                           .rows = step.input->rows(),
                           .context = step.cache->layer(index % step.cache->shape().layers)};
  step.input->SetTables(args.context);
  if (step.memories != nullptr) {
    args.memory = step.memories->layer(index);
    args.memory.set_slots = step.input->set_slots();
    args.memory.memories_per_chunk = step.input->sizes().memories_per_chunk;
  }
  return args;
}

template <typename T>
void DeviceTransformer<T>::Attend(Stream& stream, const DeviceStep<T>& step, int index) {
  const AttentionArgs<T> args = AttentionOf(step, index);
  // All rows of a padded step are decode rows.
  const StepInput& input = *step.input;
  const int32_t decode_rows = input.all_decode() ? input.sizes().rows : input.decode_rows();
  for (int32_t first = 0; first < decode_rows; first += work_.shape.decode_rows) {
    DecodeAttention(stream, args, first, std::min(work_.shape.decode_rows, decode_rows - first),
                    step.decode_context, work_.decode_scratch);
  }
  if (input.tile_count() > 0) PrefillAttention(stream, args, input.tiles(), input.tile_count());
}

template <typename T>
void DeviceTransformer<T>::Add(Stream& stream, const DeviceStep<T>& step, const T* x, const T* w,
                               const T* bias, int32_t inputs) {
  products_.Multiply(stream, step.rule,
                     ProductArgs<T, float>{.x = x,
                                           .w = w,
                                           .y = work_.residual,
                                           .rows = step.input->sizes().rows,
                                           .inputs = inputs,
                                           .outputs = config_.hidden,
                                           .accumulate = true},
                     bias);
}

template <typename T>
void DeviceTransformer<T>::Finish(Stream& stream, const DeviceStep<T>& step, int index) {
  const DeviceLayer<T>& layer = model_.layer(index);
  const int32_t rows = step.input->sizes().rows;
  Attend(stream, step, index);
  Add(stream, step, work_.attention, layer.o, layer.o_bias, config_.q_width());
  Normalize(stream, layer.post_attention_norm, rows);
  products_.MultiplyGated(stream, step.rule,
                          GatedArgs<T>{.x = work_.normed,
                                       .w = layer.gate_up,
                                       .bias = layer.gate_up_bias,
                                       .gate_up = work_.gate_up,
                                       .out = work_.activated,
                                       .rows = rows,
                                       .inputs = config_.hidden,
                                       .mlp = config_.mlp});
  Add(stream, step, work_.activated, layer.down, layer.down_bias, config_.mlp);
}

template <typename T>
absl::Status DeviceTransformer<T>::Prepare(int rows) {
  const auto prepare = [&](auto args, int32_t inputs, int32_t outputs) {
    args.rows = rows;
    args.inputs = inputs;
    args.outputs = outputs;
    return products_.Prepare(args);
  };
  M3_RETURN_IF_ERROR(
      prepare(ProductArgs<T, T>(), config_.hidden, config_.q_width() + 2 * config_.kv_width()));
  M3_RETURN_IF_ERROR(prepare(ProductArgs<T, float>(), config_.q_width(), config_.hidden));
  M3_RETURN_IF_ERROR(prepare(ProductArgs<T, T>(), config_.hidden, 2 * config_.mlp));
  return prepare(ProductArgs<T, float>(), config_.mlp, config_.hidden);
}

template class DeviceTransformer<float>;
template class DeviceTransformer<BFloat16>;

}  // namespace memory3::cuda
