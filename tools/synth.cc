// memory3-synth: a model folder with random weights.
#include <chrono>
#include <cstdio>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "engine/base/cpu_count.h"
#include "engine/base/status_macros.h"
#include "engine/base/flag_help.h"
#include "tools/synth_model.h"

ABSL_FLAG(std::string, out, "", "folder to write; made when it does not exist");
ABSL_FLAG(bool, force, false, "write into a folder that is not empty");
ABSL_FLAG(std::string, shape, "",
          "memory3-2b or llama-1b2; the flags below are then ignored unless given");
ABSL_FLAG(std::string, architecture, "LlamaForCausalLM", "or MistralForCausalLM, Qwen2ForCausalLM");
ABSL_FLAG(int, hidden, 256, "width of the hidden state");
ABSL_FLAG(int, layers, 4, "decoder blocks");
ABSL_FLAG(int, heads, 8, "query heads");
ABSL_FLAG(int, kv_heads, 4, "key and value heads; must divide --heads");
ABSL_FLAG(int, head_dim, 32, "dimensions of a head; even");
ABSL_FLAG(int, mlp, 768, "width of the MLP");
ABSL_FLAG(int, vocab, 1024, "tokens; at least 259");
ABSL_FLAG(int, context, 2048, "longest context, tokens");
ABSL_FLAG(bool, tied, false, "one matrix for embeddings and output");
ABSL_FLAG(bool, attention_bias, false, "biases on the attention's projections");
ABSL_FLAG(bool, mlp_bias, false, "biases in the MLP");
ABSL_FLAG(double, rope_theta, 10000.0, "base of the rotary frequencies");
ABSL_FLAG(std::string, dtype, "bf16", "bf16, f16 or f32");
ABSL_FLAG(uint64_t, seed, 1, "the same seed and shape give the same bytes");

namespace memory3 {
namespace {

constexpr char kUsage[] =
    R"(memory3-synth --out=DIR [--shape=NAME | --hidden=N --layers=N ...]

Writes a Hugging Face model folder with seeded random weights, a tokenizer with one token per byte and a
chat template: everything the server, the benchmarks and the tests need to load it.

  memory3-synth --out=/tmp/tiny                                   a toy
  memory3-synth --out=/tmp/m3 --shape=memory3-2b                  the published shape, 4.9 GB
  memory3-synth --out=/tmp/m3 --shape=memory3-2b --layers=8       the same, less deep
)";

// A flag that was given on the command line wins over the named shape.
template <typename T>
void Override(const absl::Flag<T>& flag, T default_value, bool named, T* value) {
  const T given = absl::GetFlag(flag);
  if (!named || given != default_value) *value = given;
}

absl::StatusOr<SynthShape> ShapeFromFlags() {
  const std::string name = absl::GetFlag(FLAGS_shape);
  const bool named = !name.empty();
  SynthShape shape;
  if (named) {
    const std::optional<SynthShape> found = NamedSynthShape(name);
    if (!found.has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--shape: '", name, "' is not known; memory3-2b, llama-1b2"));
    }
    shape = *found;
  }
  const SynthShape defaults;
  Override(FLAGS_architecture, defaults.architecture, named, &shape.architecture);
  Override(FLAGS_hidden, defaults.hidden, named, &shape.hidden);
  Override(FLAGS_layers, defaults.layers, named, &shape.layers);
  Override(FLAGS_heads, defaults.heads, named, &shape.heads);
  Override(FLAGS_kv_heads, defaults.kv_heads, named, &shape.kv_heads);
  Override(FLAGS_head_dim, defaults.head_dim, named, &shape.head_dim);
  Override(FLAGS_mlp, defaults.mlp, named, &shape.mlp);
  Override(FLAGS_vocab, defaults.vocab, named, &shape.vocab);
  Override(FLAGS_context, defaults.context, named, &shape.context);
  Override(FLAGS_tied, defaults.tied_embeddings, named, &shape.tied_embeddings);
  Override(FLAGS_attention_bias, defaults.attention_bias, named, &shape.attention_bias);
  Override(FLAGS_mlp_bias, defaults.mlp_bias, named, &shape.mlp_bias);
  Override(FLAGS_rope_theta, defaults.rope_theta, named, &shape.rope_theta);
  return shape;
}

absl::StatusOr<DType> DTypeFromFlag() {
  const std::string name = absl::GetFlag(FLAGS_dtype);
  if (name == "bf16") return DType::kBF16;
  if (name == "f16") return DType::kF16;
  if (name == "f32") return DType::kF32;
  return absl::InvalidArgumentError(absl::StrCat("--dtype: '", name, "' is not bf16, f16 or f32"));
}

absl::Status Run() {
  if (absl::GetFlag(FLAGS_out).empty())
    return absl::InvalidArgumentError("--out: missing; see --help");
  M3_ASSIGN_OR_RETURN(const SynthShape shape, ShapeFromFlags());
  SynthOptions options = {.seed = absl::GetFlag(FLAGS_seed),
                          .threads = UsableCores(),
                          .overwrite = absl::GetFlag(FLAGS_force)};
  M3_ASSIGN_OR_RETURN(options.dtype, DTypeFromFlag());
  return WriteSynthModel(shape, options, absl::GetFlag(FLAGS_out));
}

}  // namespace
}  // namespace memory3

int main(int argc, char** argv) {
  if (memory3::PrintHelpIfAsked(argc, argv, {memory3::kUsage, {"tools/synth.cc"}})) return 0;
  if (absl::ParseCommandLine(argc, argv).size() > 1) {
    std::fprintf(stderr, "memory3-synth: takes flags only; see --help\n");
    return 2;
  }
  const absl::Status status = memory3::Run();
  if (!status.ok()) {
    std::fprintf(stderr, "memory3-synth: %s\n", std::string(status.message()).c_str());
    return status.code() == absl::StatusCode::kInvalidArgument ? 2 : 1;
  }
  return 0;
}
