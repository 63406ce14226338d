// memory3-synth: a model folder with random weights.
#include <optional>
#include <string>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "engine/base/cpu_count.h"
#include "engine/base/flag_help.h"
#include "engine/base/status_macros.h"
#include "tools/synth_model.h"

ABSL_FLAG(std::string, out, "", "folder to write; made when it does not exist");
ABSL_FLAG(bool, force, false, "write into a folder that is not empty; a model in it is replaced");
ABSL_FLAG(std::string, shape, "",
          "memory3-2b or llama-1b2; other flags change single numbers of it");
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
  memory3-synth --out=/tmp/m3 --shape=memory3-2b                  the published shape, 5.3 GB
  memory3-synth --out=/tmp/m3 --shape=memory3-2b --layers=8       the same, less deep

The same flags write the same bytes on any machine. config.json is written last: a folder that has one is whole.
)";

// The numbers of the shape become the flags' defaults.
void SetFlags(const SynthShape& shape) {
  absl::SetFlag(&FLAGS_architecture, shape.architecture);
  absl::SetFlag(&FLAGS_hidden, shape.hidden);
  absl::SetFlag(&FLAGS_layers, shape.layers);
  absl::SetFlag(&FLAGS_heads, shape.heads);
  absl::SetFlag(&FLAGS_kv_heads, shape.kv_heads);
  absl::SetFlag(&FLAGS_head_dim, shape.head_dim);
  absl::SetFlag(&FLAGS_mlp, shape.mlp);
  absl::SetFlag(&FLAGS_vocab, shape.vocab);
  absl::SetFlag(&FLAGS_context, shape.context);
  absl::SetFlag(&FLAGS_tied, shape.tied_embeddings);
  absl::SetFlag(&FLAGS_attention_bias, shape.attention_bias);
  absl::SetFlag(&FLAGS_mlp_bias, shape.mlp_bias);
  absl::SetFlag(&FLAGS_rope_theta, shape.rope_theta);
}

SynthShape ShapeFromFlags() {
  return {.architecture = absl::GetFlag(FLAGS_architecture),
          .hidden = absl::GetFlag(FLAGS_hidden),
          .layers = absl::GetFlag(FLAGS_layers),
          .heads = absl::GetFlag(FLAGS_heads),
          .kv_heads = absl::GetFlag(FLAGS_kv_heads),
          .head_dim = absl::GetFlag(FLAGS_head_dim),
          .mlp = absl::GetFlag(FLAGS_mlp),
          .vocab = absl::GetFlag(FLAGS_vocab),
          .context = absl::GetFlag(FLAGS_context),
          .tied_embeddings = absl::GetFlag(FLAGS_tied),
          .attention_bias = absl::GetFlag(FLAGS_attention_bias),
          .mlp_bias = absl::GetFlag(FLAGS_mlp_bias),
          .rope_theta = absl::GetFlag(FLAGS_rope_theta)};
}

// Flags cannot tell whether they were given. So the command line is read once for --shape, and,
// when there is one, once more on top of its numbers: a flag that is given wins, whatever its
// value.
absl::Status ParseFlags(int argc, char** argv) {
  if (ParseFlagsOrExit(argc, argv).size() > 1)
    return absl::InvalidArgumentError("takes flags only; see --help");
  const std::string name = absl::GetFlag(FLAGS_shape);
  if (name.empty()) return absl::OkStatus();
  const std::optional<SynthShape> shape = NamedSynthShape(name);
  if (!shape.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--shape: '", name, "' is not known; memory3-2b, llama-1b2"));
  }
  SetFlags(*shape);
  ParseFlagsOrExit(argc, argv);
  return absl::OkStatus();
}

absl::StatusOr<DType> DTypeFromFlag() {
  const std::string name = absl::GetFlag(FLAGS_dtype);
  if (name == "bf16") return DType::kBF16;
  if (name == "f16") return DType::kF16;
  if (name == "f32") return DType::kF32;
  return absl::InvalidArgumentError(absl::StrCat("--dtype: '", name, "' is not bf16, f16 or f32"));
}

absl::Status Run(int argc, char** argv) {
  M3_RETURN_IF_ERROR(ParseFlags(argc, argv));
  if (absl::GetFlag(FLAGS_out).empty())
    return absl::InvalidArgumentError("--out: missing; see --help");
  SynthOptions options = {.seed = absl::GetFlag(FLAGS_seed),
                          .threads = UsableCores(),
                          .overwrite = absl::GetFlag(FLAGS_force)};
  M3_ASSIGN_OR_RETURN(options.dtype, DTypeFromFlag());
  return WriteSynthModel(ShapeFromFlags(), options, absl::GetFlag(FLAGS_out));
}

}  // namespace
}  // namespace memory3

int main(int argc, char** argv) {
  if (memory3::PrintHelpIfAsked(argc, argv, {memory3::kUsage, {"tools/synth.cc"}})) return 0;
  return memory3::EndProgram("memory3-synth", memory3::Run(argc, argv));
}
