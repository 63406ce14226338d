"""A bank with a transformer embedder, from a Hugging Face folder to the sidecar: built, searched, verified, served.

usage: transformer_bank_test.py MEMORY3_SYNTH MEMORY3_BANK MEMORY3_RETRIEVAL

The encoder is a random one of bert_numpy_test.py, whose numpy computes the scores that the search must show.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/unit/retrieval"), str(ROOT / "tests/integration")]
from bert_numpy_test import PIECES, encode, hidden_states, random_model, write_safetensors, write_tokenizer
from retrieval_program_test import await_log, get

PATIENCE_S = 300
WORDS = [piece for piece in PIECES if piece.isalpha()]
LIMIT = 5
TOLERANCE = 2e-4  # scores are printed to four places


def run(*command):
    command = [str(part) for part in command]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


class Encoder:
    """A random model in a folder, and its vectors as numpy computes them."""

    def __init__(self, rng, folder, cls):
        self.folder, self.cls = folder, cls
        self.config, self.weights = random_model(rng)
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(self.config))
        write_safetensors(folder / "model.safetensors", self.weights)
        write_tokenizer(folder / "tokenizer.json")
        if cls:
            (folder / "1_Pooling").mkdir()
            pooling = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
            (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))

    def vector(self, text):
        wide = {name: tensor.astype(np.float64) for name, tensor in self.weights.items()}
        states = hidden_states(encode(text, self.config["max_position_embeddings"]), wide, self.config)
        pooled = states[0] if self.cls else states.mean(0)
        return pooled / np.linalg.norm(pooled)


def check_search(bank_program, bank, encoder, texts, queries):
    vectors = np.array([encoder.vector(text) for text in texts])
    for query in queries:
        found = run(bank_program, "search", bank, query, f"--limit={LIMIT}", f"--embedder_dir={encoder.folder}")
        assert found.returncode == 0, found.stderr
        ids = [int(i) for i in re.findall(r"^id: (.*)$", found.stdout, re.MULTILINE)]
        scores = [float(s) for s in re.findall(r"^score: (.*)$", found.stdout, re.MULTILINE)]
        expected = vectors @ encoder.vector(query)
        assert len(set(ids)) == LIMIT, found.stdout
        assert np.abs(expected[ids] - scores).max() < TOLERANCE, (query, expected[ids], scores)
        best = np.sort(expected)[::-1][:LIMIT]
        assert np.abs(best - scores).max() < TOLERANCE, (query, best, scores)


def check_verify(bank_program, bank, encoder, other):
    """Exit status 0 with its own model; 2 without one, 1 with another, each naming what is wrong."""
    own = run(bank_program, "verify", bank, f"--embedder_dir={encoder.folder}")
    assert own.returncode == 0, own.stderr
    without = run(bank_program, "verify", bank)
    assert without.returncode == 2 and "transformer" in without.stderr, without
    wrong = run(bank_program, "verify", bank, f"--embedder_dir={other.folder}")
    assert wrong.returncode == 1 and str(other.folder) in wrong.stderr, wrong


def check_sidecar(retrieval, bank, encoder):
    command = [retrieval, f"--bank={bank}", "--listen_address=127.0.0.1:0", "--metrics_address=127.0.0.1:0"]
    command += ["--log_format=json"]
    for flags, message, ready in [([f"--embedder_model_dir={encoder.folder}"], "serving bank", 200),
                                  ([], "the bank is refused", 503)]:
        with subprocess.Popen([*command, *flags], stderr=subprocess.PIPE, text=True) as process:
            try:
                await_log(process, "listening")
                http_port = await_log(process, "listening")["port"]
                entry = await_log(process, message)
                assert ready == 503 or entry["embedder"] == f"bert-{encoder.config['hidden_size']}", entry
                assert get(http_port, "/readyz") == ready
            finally:
                process.kill()


def main(synth, bank_program, retrieval):
    seed = int(np.random.SeedSequence().entropy % 2**32)
    print("seed", seed)
    rng = np.random.default_rng(seed)
    sentence = lambda: " ".join(rng.choice(WORDS, rng.integers(2, 12)))
    texts = list(dict.fromkeys(sentence() for _ in range(60)))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        made = run(synth, f"--out={folder / 'model'}", "--hidden=64", "--layers=2", "--heads=4", "--kv_heads=2",
                   "--head_dim=16", "--mlp=96", "--vocab=300")
        assert made.returncode == 0, made.stderr
        (folder / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        for number, cls in enumerate([False, True]):
            encoder, other = (Encoder(rng, folder / f"{which}{number}", cls) for which in ("encoder", "other"))
            bank = folder / f"bank{number}"
            built = run(bank_program, "build", f"--model_dir={folder / 'model'}", f"--input={folder / 'texts.jsonl'}",
                        f"--out={bank}", "--embedder=transformer", f"--embedder_dir={encoder.folder}")
            assert built.returncode == 0, built.stderr
            check_search(bank_program, bank, encoder, texts, [sentence() for _ in range(4)] + texts[:2])
            check_verify(bank_program, bank, encoder, other)
            check_sidecar(retrieval, bank, encoder)


if __name__ == "__main__":
    main(*sys.argv[1:4])
