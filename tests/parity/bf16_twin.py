"""What bf16 itself does to a case: the reference in float64, rounded where the engine rounds to bf16.

Rounded are the matrices, every input of a product with one, and the keys and values that attention reads, of the context,
the prefix and memories. All else is float64 here and f32 in the engine, which now and then decides which way a number is
rounded; that difference grows on its way through the layers. So a case has many bf16 answers, all of them right. In about
one case in a hundred some of them are further from the reference than the 3e-2 that bf16 is allowed: such cases are drawn
again.
"""
import numpy as np

from rounding_stable import ROUNDING

ANSWERS = 3  # of the many that a case has
STABLE_ERROR = 1e-2  # of the worst of them: a third of what is allowed


def to_bf16(a):
    """Nearest bf16, ties to even, of the nearest f32."""
    bits = np.asarray(a, np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32).astype(np.float64)


def bf16_model(model_class, rng):
    """The reference's Model with bf16's rounding, of numbers that are as inexact as single precision's."""
    rounded = lambda a: to_bf16(a * (1 + ROUNDING * rng.uniform(-1, 1, a.shape)))

    class Bf16Model(model_class):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.w = {name: to_bf16(w) if w.ndim == 2 else w for name, w in self.w.items()}
            self.embedding, self.lm_head = to_bf16(self.embedding), to_bf16(self.lm_head)

        def norm(self, x, name):
            return rounded(super().norm(x, name))

        def mlp(self, x, layer):
            p = f"model.layers.{layer}.mlp."
            gate = x @ self.w[p + "gate_proj.weight"].T
            activated = gate / (1 + np.exp(-gate)) * (x @ self.w[p + "up_proj.weight"].T)
            return rounded(activated) @ self.w[p + "down_proj.weight"].T

        def attend(self, q, parts):
            # What is rounded already stays as it is.
            return rounded(super().attend(q, [(rounded(k), rounded(v), visible) for k, v, visible in parts]))

        def encode_listed(self, reference, prefix_ids):
            """The memory of a case's reference, of the tokens that the case lists: in bf16 the choice is not compared."""
            kept = iter([np.array(reference["layers"][str(layer)]["index"]) for layer in self.memory_layers])
            self.select = lambda q, k: next(kept)
            memory = self.encode_reference(reference["ids"], prefix_ids)
            return {layer: {"keys": rounded(m["keys"]), "values": rounded(m["values"])} for layer, m in memory.items()}

    return Bf16Model


def bf16_error(model, case):
    """Of one bf16 answer, as memory3-parity counts: in the worst row, relative to the row's largest listed logit."""
    prompt, prefix = case["prompt_ids"], case["prefix_ids"] if case["memory"]["enabled"] else None
    chunk_of, sets = model.chunk_index(len(prompt), len(prompt)), []
    if prefix is not None:
        memories = [model.encode_listed(reference, prefix) for reference in case["references"]]
        sets = [[memories[i] for i in numbers] for numbers in case["memory_sets"][:max(chunk_of) + 1]]
    logits, errors = model.forward(prompt, chunk_of, sets, prefix), []
    for row, listed in case["rows"].items():
        ids, exact = zip(*listed)
        errors.append(np.abs(logits[int(row)][list(ids)] - exact).max() / np.abs(exact).max())
    return max(errors)


def bf16_stable(model_class, folder, case):
    """Whether bf16 leaves every listed row of the case well within its tolerance."""
    settings = {k: v for k, v in case["memory"].items() if k != "enabled"}
    model = bf16_model(model_class, np.random.default_rng(1))(folder, settings)
    return all(bf16_error(model, case) <= STABLE_ERROR for _ in range(ANSWERS))
