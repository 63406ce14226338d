#include "engine/cuda/products.h"

#include <type_traits>

#include "engine/base/check.h"
#include "engine/base/status_macros.h"
#include "engine/cuda/cuda_runner.h"
#include "engine/cuda/cuda_runner_plan.h"
#include "engine/cuda/kernels/add_bias.h"
#include "engine/cuda/kernels/skinny_matmul.h"
#include "engine/cuda/kernels/swiglu.h"

namespace memory3::cuda {

static_assert(kMaxSkinnyRows == kSkinnyRows);

absl::StatusOr<Products> Products::Create(int skinny_rows) {
  M3_ASSIGN_OR_RETURN(DenseProduct dense, DenseProduct::Create());
  return Products(std::move(dense), skinny_rows);
}

bool Products::CanBeInvariant(int inputs) { return inputs % kSkinnyInputs == 0; }

bool Products::IsSkinny(ProductRule rule, int32_t rows, int32_t inputs) const {
  if (rule == ProductRule::kInvariant) {
    M3_CHECK(CanBeInvariant(inputs));
    return true;
  }
  return rule == ProductRule::kFast && rows <= skinny_rows_ && inputs % kSkinnyInputs == 0;
}

template <typename T, typename Y>
void Products::MultiplyDense(Stream& stream, ProductRule rule, const ProductArgs<T, Y>& args) {
  if (rule != ProductRule::kFixedSlices) {
    dense_.Multiply(stream, args);
    return;
  }
  for (int32_t first = 0; first < args.rows; first += kEncodeSliceRows) {
    ProductArgs<T, Y> slice = args;
    slice.x += int64_t{first} * args.inputs;
    slice.y += int64_t{first} * args.outputs;
    slice.rows = kEncodeSliceRows;
    dense_.Multiply(stream, slice);
  }
}

template <typename T, typename Y>
void Products::Multiply(Stream& stream, ProductRule rule, const ProductArgs<T, Y>& args,
                        const T* bias) {
  M3_CHECK(args.accumulate || bias == nullptr);
  if (IsSkinny(rule, args.rows, args.inputs)) {
    SkinnyMatMul(stream, SkinnyMatMulArgs<T, Y>{
                             .x = args.x,
                             .weight = args.w,
                             .bias = bias,
                             .y = args.y,
                             .epilogue = args.accumulate ? Epilogue::kAdd : Epilogue::kStore,
                             .rows = args.rows,
                             .in = args.inputs,
                             .out = args.outputs});
    return;
  }
  MultiplyDense(stream, rule, args);
  if constexpr (std::is_same_v<Y, float>) {
    if (bias == nullptr) return;
    AddBias(
        stream,
        AddBiasArgs<T>{.bias = bias, .residual = args.y, .rows = args.rows, .width = args.outputs});
  }
}

template <typename T>
void Products::MultiplyGated(Stream& stream, ProductRule rule, const GatedArgs<T>& args) {
  if (IsSkinny(rule, args.rows, args.inputs)) {
    SkinnyMatMul(stream, SkinnyMatMulArgs<T, T>{.x = args.x,
                                                .weight = args.w,
                                                .bias = args.bias,
                                                .y = args.out,
                                                .epilogue = Epilogue::kSwiGlu,
                                                .rows = args.rows,
                                                .in = args.inputs,
                                                .out = args.mlp});
    return;
  }
  MultiplyDense(stream, rule,
                ProductArgs<T, T>{.x = args.x,
                                  .w = args.w,
                                  .y = args.gate_up,
                                  .rows = args.rows,
                                  .inputs = args.inputs,
                                  .outputs = 2 * args.mlp});
  SwiGlu(stream, SwiGluArgs<T>{.gate_up = args.gate_up,
                               .bias = args.bias,
                               .out = args.out,
                               .rows = args.rows,
                               .mlp = args.mlp});
}

template <typename T, typename Y>
absl::Status Products::Prepare(const ProductArgs<T, Y>& args) {
  ProductArgs<T, Y> shape = args;
  for (shape.rows = kProductRowMultiple; shape.rows <= PaddedProductRows(args.rows);
       shape.rows += kProductRowMultiple) {
    M3_RETURN_IF_ERROR(dense_.Prepare(shape));
  }
  return absl::OkStatus();
}

using Bf16 = BFloat16;
template void Products::Multiply(Stream&, ProductRule, const ProductArgs<float, float>&,
                                 const float*);
template void Products::Multiply(Stream&, ProductRule, const ProductArgs<Bf16, Bf16>&, const Bf16*);
template void Products::Multiply(Stream&, ProductRule, const ProductArgs<Bf16, float>&,
                                 const Bf16*);
template void Products::MultiplyGated(Stream&, ProductRule, const GatedArgs<float>&);
template void Products::MultiplyGated(Stream&, ProductRule, const GatedArgs<Bf16>&);
template absl::Status Products::Prepare(const ProductArgs<float, float>&);
template absl::Status Products::Prepare(const ProductArgs<Bf16, Bf16>&);
template absl::Status Products::Prepare(const ProductArgs<Bf16, float>&);

}  // namespace memory3::cuda
