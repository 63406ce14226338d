"""Compares the transformer embedder with a BERT written in numpy, on random small models.

usage: bert_numpy_test.py EMBED_TEXTS [--seed N] [--models N]

EMBED_TEXTS is the program built from embed_texts.cc. Both read the same folder: a config.json, random weights in
model.safetensors, a WordPiece tokenizer.json. Texts are of random length, some empty, some longer than the model.
"""

import argparse
import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np

PIECES = ["al", "be", "ga", "de", "ep", "ze", "##ta", "##ma", "##lon", "##a", "##e", "river", "stone", "light", ",", "."]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY = SPECIAL + PIECES
TOLERANCE = 2e-5


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, tensor in tensors.items():
        raw = tensor.astype(np.float32).tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def write_tokenizer(path):
    vocabulary = {token: i for i, token in enumerate(VOCABULARY)}
    special = [
        {"id": vocabulary[t], "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
         "special": True} for t in SPECIAL]
    post = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                   {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
        "pair": [],
        "special_tokens": {t: {"id": t, "ids": [vocabulary[t]], "tokens": [t]} for t in ("[CLS]", "[SEP]")},
    }
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special,
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                       "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": post,
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocabulary},
    }
    path.write_text(json.dumps(tokenizer))


def word_pieces(word):
    """Greedy, longest first; a word that cannot be cut is one [UNK]."""
    pieces, begin = [], 0
    while begin < len(word):
        end = len(word)
        while end > begin and ("##" if begin else "") + word[begin:end] not in VOCABULARY:
            end -= 1
        if end == begin:
            return ["[UNK]"]
        pieces.append(("##" if begin else "") + word[begin:end])
        begin = end
    return pieces


def encode(text, positions):
    words = text.lower().replace(",", " , ").replace(".", " . ").split()
    pieces = [piece for word in words for piece in word_pieces(word)]
    if not pieces:
        return []
    pieces = ["[CLS]"] + pieces[: positions - 2] + ["[SEP]"]
    return [VOCABULARY.index(piece) for piece in pieces]


def layer_norm(x, weights, name, epsilon):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * weights[name + ".weight"] + weights[name + ".bias"]


def activate(x, name):
    if name == "relu":
        return np.maximum(x, 0)
    if name == "gelu":
        return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def hidden_states(ids, weights, config):
    def dense(x, name):
        return x @ weights[name + ".weight"].T + weights[name + ".bias"]

    heads, epsilon = config["num_attention_heads"], config["layer_norm_eps"]
    x = weights["embeddings.word_embeddings.weight"][ids]
    x = x + weights["embeddings.position_embeddings.weight"][: len(ids)]
    x = x + weights["embeddings.token_type_embeddings.weight"][0]
    x = layer_norm(x, weights, "embeddings.LayerNorm", epsilon)
    for layer in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{layer}."
        q, k, v = (
            dense(x, at + "attention.self." + name).reshape(len(ids), heads, -1).transpose(1, 0, 2)
            for name in ("query", "key", "value"))
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1])
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        attended = (scores / scores.sum(-1, keepdims=True)) @ v
        attended = attended.transpose(1, 0, 2).reshape(len(ids), -1)
        x = layer_norm(x + dense(attended, at + "attention.output.dense"), weights,
                       at + "attention.output.LayerNorm", epsilon)
        mlp = dense(activate(dense(x, at + "intermediate.dense"), config["hidden_act"]), at + "output.dense")
        x = layer_norm(x + mlp, weights, at + "output.LayerNorm", epsilon)
    return x


def random_model(rng):
    heads = int(rng.integers(1, 5))
    config = {
        "model_type": "bert", "vocab_size": len(VOCABULARY) + int(rng.integers(0, 3)), "num_attention_heads": heads,
        "hidden_size": heads * int(rng.integers(3, 20)), "num_hidden_layers": int(rng.integers(1, 4)),
        "intermediate_size": int(rng.integers(5, 90)), "max_position_embeddings": int(rng.integers(8, 40)),
        "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": str(rng.choice(["gelu", "gelu_new", "relu"])),
    }
    hidden, mlp = config["hidden_size"], config["intermediate_size"]
    shapes = {
        "embeddings.word_embeddings.weight": (config["vocab_size"], hidden),
        "embeddings.position_embeddings.weight": (config["max_position_embeddings"], hidden),
        "embeddings.token_type_embeddings.weight": (2, hidden), "embeddings.LayerNorm": (hidden,),
    }
    for layer in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{layer}."
        for name, shape in [
            ("attention.self.query", (hidden, hidden)), ("attention.self.key", (hidden, hidden)),
            ("attention.self.value", (hidden, hidden)), ("attention.output.dense", (hidden, hidden)),
            ("attention.output.LayerNorm", (hidden,)), ("intermediate.dense", (mlp, hidden)),
            ("output.dense", (hidden, mlp)), ("output.LayerNorm", (hidden,)),
        ]:
            shapes[at + name] = shape
    weights = {}
    for name, shape in shapes.items():
        draw = rng.normal(0, 1 / math.sqrt(shape[-1]), shape).astype(np.float32)
        if name.startswith("embeddings.") and name.endswith(".weight"):
            weights[name] = draw
        else:
            weights[name + ".weight"] = draw + 1 if len(shape) == 1 else draw
            weights[name + ".bias"] = rng.normal(0, 0.2, shape[:1]).astype(np.float32)
    return config, weights


def check_model(program, folder, rng, texts):
    config, weights = random_model(rng)
    prefix = str(rng.choice(["", "bert."]))
    (folder / "config.json").write_text(json.dumps(config))
    write_safetensors(folder / "model.safetensors", {prefix + name: tensor for name, tensor in weights.items()})
    write_tokenizer(folder / "tokenizer.json")
    pooling = str(rng.choice(["folder", "mean", "cls"]))
    by_folder = bool(rng.integers(0, 2))
    if by_folder:
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(
            json.dumps({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}))
    cls = pooling == "cls" or (pooling == "folder" and by_folder)
    command = [program, str(folder), pooling, str(rng.integers(1, 4))]
    out = subprocess.run(command, input="\n".join(texts) + "\n", capture_output=True, text=True, check=False)
    assert out.returncode == 0, out.stderr
    got = np.array([[float(x) for x in line.split()] for line in out.stdout.splitlines()])
    wide = {name: tensor.astype(np.float64) for name, tensor in weights.items()}
    for text, vector in zip(texts, got, strict=True):
        ids = encode(text, config["max_position_embeddings"])
        if not ids:
            assert not vector.any(), text
            continue
        states = hidden_states(ids, wide, config)
        expected = states[0] if cls else states.mean(0)
        expected /= np.linalg.norm(expected)
        error = np.abs(vector - expected).max()
        assert error < TOLERANCE, (error, text, config, pooling, cls)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    parser.add_argument("--models", type=int, default=8)
    arguments = parser.parse_args()
    print("seed", arguments.seed)
    rng = np.random.default_rng(arguments.seed)
    words = ["alta", "Beta", "gamma", "delta", "epsilon", "zeta", "river", "STONE", "light", "unknown", ",", "."]
    for _ in range(arguments.models):
        texts = ["", "  ", "river"]
        texts += [" ".join(rng.choice(words, rng.integers(1, 60))) for _ in range(20)]
        with tempfile.TemporaryDirectory() as folder:
            check_model(arguments.program, pathlib.Path(folder), rng, texts)


if __name__ == "__main__":
    sys.exit(main())
