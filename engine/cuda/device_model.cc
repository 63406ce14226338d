#include "engine/cuda/device_model.h"

#include <cmath>
#include <initializer_list>
#include <type_traits>
#include <utility>

#include "engine/base/status_macros.h"
#include "engine/cuda/arena.h"
#include "engine/cuda/upload.h"

namespace memory3::cuda {
namespace {

// A tensor of the checkpoint with its size; null while only sizes matter.
struct Part {
  const Tensor* tensor;
  int64_t elements;
};

// Takes memory for the parts of a model in the order they are used and, given weights, fills it.
// The first error stays.
template <typename T>
class ModelWriter {
 public:
  ModelWriter(Arena& arena, const ModelWeights* weights, Uploader* uploader)
      : arena_(arena), weights_(weights), uploader_(uploader) {}

  // The parts one after the other.
  const T* Stack(std::initializer_list<Part> parts) {
    int64_t elements = 0;
    for (const Part& part : parts) elements += part.elements;
    T* const begin = arena_.Take<T>(elements);
    T* to = begin;
    for (const Part& part : parts) {
      if (weights_ != nullptr && status_.ok()) {
        status_ = uploader_->CopyTensor(*part.tensor, to);
        weights_->DropPages(*part.tensor);
      }
      if (begin != nullptr) to += part.elements;
    }
    return begin;
  }

  const float* Floats(int64_t elements, const std::vector<float>& values) {
    float* const begin = arena_.Take<float>(elements);
    if (weights_ != nullptr && status_.ok()) status_ = uploader_->CopyFloats(values, begin);
    return begin;
  }

  const absl::Status& status() const { return status_; }

 private:
  Arena& arena_;
  const ModelWeights* weights_;
  Uploader* uploader_;
  absl::Status status_;
};

const Tensor* Of(const LayerWeights* layer, Tensor LayerWeights::*tensor) {
  return layer == nullptr ? nullptr : &(layer->*tensor);
}

template <typename T>
DeviceLayer<T> WriteLayer(const ModelConfig& config, const LayerWeights* weights,
                          ModelWriter<T>& writer) {
  using W = LayerWeights;
  const int64_t hidden = config.hidden, mlp = config.mlp, q = config.q_width(),
                kv = config.kv_width();
  const auto part = [&](Tensor W::*tensor, int64_t elements) {
    return Part{Of(weights, tensor), elements};
  };
  DeviceLayer<T> layer;
  layer.input_norm = writer.Stack({part(&W::input_norm, hidden)});
  layer.qkv = writer.Stack(
      {part(&W::q_proj, q * hidden), part(&W::k_proj, kv * hidden), part(&W::v_proj, kv * hidden)});
  layer.o = writer.Stack({part(&W::o_proj, hidden * q)});
  layer.post_attention_norm = writer.Stack({part(&W::post_attention_norm, hidden)});
  layer.gate_up =
      writer.Stack({part(&W::gate_proj, mlp * hidden), part(&W::up_proj, mlp * hidden)});
  layer.down = writer.Stack({part(&W::down_proj, hidden * mlp)});
  if (config.qkv_bias) {
    layer.qkv_bias =
        writer.Stack({part(&W::q_bias, q), part(&W::k_bias, kv), part(&W::v_bias, kv)});
  }
  if (config.o_bias) layer.o_bias = writer.Stack({part(&W::o_bias, hidden)});
  if (config.mlp_bias) {
    layer.gate_up_bias = writer.Stack({part(&W::gate_bias, mlp), part(&W::up_bias, mlp)});
    layer.down_bias = writer.Stack({part(&W::down_bias, hidden)});
  }
  return layer;
}

struct Angles {
  std::vector<float> cosines, sines;  // (positions, head_dim / 2)
};

// In double precision, as the CPU runner's: positions are large numbers for floats.
Angles AnglesOf(const ModelConfig& config, int positions) {
  const std::vector<double> frequencies = RopeFrequencies(config);
  Angles angles;
  for (int position = 0; position < positions; ++position) {
    for (const double frequency : frequencies) {
      angles.cosines.push_back(static_cast<float>(std::cos(position * frequency)));
      angles.sines.push_back(static_cast<float>(std::sin(position * frequency)));
    }
  }
  return angles;
}

}  // namespace

// What measuring and uploading have in common.
class ModelLayout {
 public:
  template <typename T>
  static absl::Status Write(const ModelConfig& config, const ModelWeights* weights, int max_context,
                            Arena& arena, Uploader* uploader, DeviceModel<T>& model) {
    ModelWriter<T> writer(arena, weights, uploader);
    const auto layer = [&](int i) { return weights == nullptr ? nullptr : &weights->layer(i); };
    const int64_t vocabulary = int64_t{config.vocab} * config.hidden;
    model.embedding_ =
        writer.Stack({{weights == nullptr ? nullptr : &weights->embedding(), vocabulary}});
    for (int i = 0; i < config.layers; ++i) {
      model.layers_.push_back(WriteLayer(config, layer(i), writer));
    }
    model.final_norm_ =
        writer.Stack({{weights == nullptr ? nullptr : &weights->final_norm(), config.hidden}});
    model.lm_head_ =
        config.tied_embeddings
            ? model.embedding_
            : writer.Stack({{weights == nullptr ? nullptr : &weights->lm_head(), vocabulary}});
    const Angles angles = weights == nullptr ? Angles() : AnglesOf(config, max_context);
    const int64_t pairs = int64_t{max_context} * config.head_dim / 2;
    model.rope_.cosines = writer.Floats(pairs, angles.cosines);
    model.rope_.sines = writer.Floats(pairs, angles.sines);
    const int64_t q = config.q_width(), kv = config.kv_width();
    model.bytes_per_step_ =
        static_cast<int64_t>(sizeof(T)) *
        (vocabulary + int64_t{config.layers} * config.hidden * (2 * q + 2 * kv + 3 * config.mlp));
    return writer.status();
  }
};

template <typename T>
int64_t DeviceModel<T>::Bytes(const ModelConfig& config, int max_context) {
  Arena arena(nullptr);
  DeviceModel model;
  ModelLayout::Write<T>(config, nullptr, max_context, arena, nullptr, model).IgnoreError();
  return arena.used();
}

template <typename T>
absl::StatusOr<DeviceModel<T>> DeviceModel<T>::Upload(const ModelConfig& config,
                                                      const ModelWeights& weights, int max_context,
                                                      Stream& stream) {
  DeviceModel model;
  M3_ASSIGN_OR_RETURN(model.memory_,
                      Buffer::Allocate(Buffer::Kind::kDevice, Bytes(config, max_context)));
  M3_ASSIGN_OR_RETURN(Uploader uploader, Uploader::Create(stream, kUploadPieceBytes));
  Arena arena(model.memory_.data());
  const absl::Status status =
      ModelLayout::Write<T>(config, &weights, max_context, arena, &uploader, model);
  // Copies in flight read the uploader's memory: wait also when one of them failed.
  const absl::Status finished = stream.Synchronize();
  M3_RETURN_IF_ERROR(status);
  M3_RETURN_IF_ERROR(finished);
  return model;
}

template class DeviceModel<float>;
template class DeviceModel<BFloat16>;

}  // namespace memory3::cuda
