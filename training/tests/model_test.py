"""The PyTorch model against the numpy reference implementation, on random models of small shape."""

import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import needs_torch  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402

from memory3_training.config import MemorySettings, ModelShape  # noqa: E402
from memory3_training.folder import load_model, save_model  # noqa: E402
from memory3_training.model import Attached, MemoryModel, References  # noqa: E402

SHARED = HERE.parents[2] / "shared" / "reference"
if not SHARED.is_dir():
    print("skipped: ../shared/reference is absent")
    sys.exit(needs_torch.SKIPPED)
sys.path.insert(0, str(SHARED))
from memory3_reference import Model as Oracle  # noqa: E402

TOLERANCE = 1e-5
torch.set_num_threads(1)
PREFIX = [1, 7, 9]


def random_shape(rng: np.random.Generator) -> ModelShape:
    kv_heads = int(rng.choice([1, 2, 4]))
    layers = int(rng.integers(2, 5))
    count = int(rng.integers(1, layers + 1))
    memory_layers = tuple(sorted(rng.choice(layers, count, replace=False).tolist()))
    memory = MemorySettings(memory_layers, reference_tokens=int(rng.integers(12, 30)),
                            kept_tokens=int(rng.integers(2, 9)), chunk_tokens=16,
                            selection=str(rng.choice(["softmax_sum", "exp_sum"])))
    return ModelShape(vocab=50, hidden=24, layers=layers, heads=kv_heads * int(rng.choice([1, 2])),
                      kv_heads=kv_heads, mlp=40, head_dim=8, memory=memory, max_context=256)


class AgainstOracle(unittest.TestCase):
    def check(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        shape = random_shape(rng)
        with tempfile.TemporaryDirectory() as folder:
            save_model(MemoryModel(shape, PREFIX), Path(folder), torch.float32)
            model, oracle = load_model(Path(folder), PREFIX), Oracle(folder)
        lengths = [int(n) for n in rng.integers(1, shape.memory.reference_tokens + 1, 4)]
        # Equal tokens weigh the same in the first layer: which is kept would be a matter of rounding.
        texts = [rng.choice(np.arange(3, 50), n, replace=False).tolist() for n in lengths]
        ids = rng.integers(3, 50, 40).tolist()
        chunk_of = [row // shape.memory.chunk_tokens for row in range(len(ids))]
        sets = [[0, 2], [], [1, 2, 3]]
        memories = [oracle.encode_reference(text, PREFIX) for text in texts]
        expected = oracle.forward(ids, chunk_of, [[memories[i] for i in s] for s in sets], PREFIX)

        padded = torch.zeros(len(texts), max(lengths), dtype=torch.long)
        for row, text in enumerate(texts):
            padded[row, :len(text)] = torch.tensor(text)
        prefix = model.encode_prefix()
        encoded = model.encode_references(References(padded, torch.tensor(lengths)), prefix)
        for number, memory in enumerate(memories):
            for layer in shape.memory.memory_layers:
                kept = min(lengths[number], shape.memory.kept_tokens)
                index = encoded.index[layer][number, :, :kept].numpy()
                np.testing.assert_array_equal(index, memory[layer]["index"], f"seed {seed}")
                keys = encoded.layers[layer][0][number, :, :kept].detach().numpy()
                np.testing.assert_allclose(keys, memory[layer]["keys"], atol=TOLERANCE)
        visible = torch.tensor([[[r in sets[c] for r in range(4)] for c in chunk_of]])
        hidden = model.forward_memory(torch.tensor([ids]), prefix, encoded,
                                      Attached(torch.arange(4)[None], visible))
        got = model.logits(hidden)[0].detach().numpy()
        np.testing.assert_allclose(got, expected, atol=TOLERANCE, rtol=TOLERANCE,
                                   err_msg=f"seed {seed}")

    def test_random_models(self) -> None:
        for seed in range(12):
            with self.subTest(seed=seed):
                self.check(seed)

    def test_plain(self) -> None:
        torch.manual_seed(5)
        shape = random_shape(np.random.default_rng(5))
        with tempfile.TemporaryDirectory() as folder:
            save_model(MemoryModel(shape, PREFIX), Path(folder), torch.float32)
            model, oracle = load_model(Path(folder), PREFIX), Oracle(folder)
        ids = np.random.default_rng(5).integers(3, 50, 40).tolist()
        got = model.logits(model.forward_plain(torch.tensor([ids])))[0].detach().numpy()
        np.testing.assert_allclose(got, oracle.forward(ids, [0] * 40, []), atol=TOLERANCE)

    def test_window_is_for_the_layers_above_memory_only(self) -> None:
        torch.manual_seed(1)
        memory = MemorySettings((0, 1), chunk_tokens=16)
        model = MemoryModel(ModelShape(50, 24, 2, 2, 2, 40, memory), PREFIX)
        ids = torch.randint(3, 50, (1, 40))
        same = model.forward_plain(ids, window=4)
        torch.testing.assert_close(same, model.forward_plain(ids))

    def test_gradient_reaches_references(self) -> None:
        torch.manual_seed(1)
        memory = MemorySettings((0,), kept_tokens=3, chunk_tokens=16)
        model = MemoryModel(ModelShape(50, 24, 2, 2, 2, 40, memory), PREFIX)
        prefix = model.encode_prefix()
        text = References(torch.tensor([[45, 46, 47]]), torch.tensor([3]))
        encoded = model.encode_references(text, prefix)
        hidden = model.forward_memory(torch.randint(3, 40, (1, 9)), prefix, encoded,
                                      Attached(torch.tensor([[0]])))
        hidden.square().mean().backward()
        gradient = model.model.embed_tokens.weight.grad[45:48]
        self.assertGreater(float(gradient.abs().min(0).values.max()), 0)


if __name__ == "__main__":
    unittest.main()
