// The row-wise parts of a BERT layer, on one thread.
#ifndef MEMORY3_RETRIEVAL_EMBED_BERT_KERNELS_H_
#define MEMORY3_RETRIEVAL_EMBED_BERT_KERNELS_H_

#include "absl/types/span.h"
#include "retrieval/embed/bert_config.h"

namespace memory3 {

// (x - mean) / sqrt(variance + epsilon) * weight + bias, in place; all of one length.
void LayerNorm(absl::Span<float> x, absl::Span<const float> weight, absl::Span<const float> bias,
               float epsilon);

// In place. The exact GELU's error function is within 2e-7.
void Activate(Activation activation, absl::Span<float> x);

// One head of one text: for each of `tokens` rows i, out_i = sum_j softmax_j(q_i k_j / sqrt(size))
// v_j. Rows of q, k and v are `stride` floats apart, those of out `out_stride`. scores: workspace
// of `tokens` floats.
void AttendHead(const float* q, const float* k, const float* v, int tokens, int size, int stride,
                float* scores, float* out, int out_stride);

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_EMBED_BERT_KERNELS_H_
