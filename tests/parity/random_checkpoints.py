#!/usr/bin/env python3
"""Random small checkpoints through memory3-parity, against the numpy reference in ../shared.

    random_checkpoints.py MEMORY3_PARITY SHARED_DIR [--models N] [--seed S] [--steps N]

Writes each checkpoint (random shape, dtype, shards, biases, tied or not) with its own safetensors writer, lets the
reference compute logits and a greedy continuation, and runs the case in f32 and bf16. Exit status 77 without ../shared.
"""
import argparse
import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

SHAPES = [  # hidden, heads, kv_heads, head_dim, mlp: odd head sizes, MHA, GQA up to 8:1, heads * head_dim != hidden
    (24, 4, 4, 6, 40), (40, 8, 1, 10, 33), (80, 5, 1, 80, 48), (64, 4, 2, 16, 96), (48, 6, 3, 14, 64), (32, 16, 2, 4, 17),
]
DTYPES = {"F32": lambda a: a.astype("<f4").tobytes(), "F16": lambda a: a.astype("<f2").tobytes(),
          "BF16": lambda a: (a.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()}


def write_safetensors(path, tensors, dtype):
    header, data = {}, b""
    for name, array in tensors.items():
        raw = DTYPES[dtype](array)
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def random_config(rng):
    hidden, heads, kv_heads, head_dim, mlp = SHAPES[rng.integers(len(SHAPES))]
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": hidden, "intermediate_size": mlp,
        "num_hidden_layers": int(rng.integers(1, 4)), "num_attention_heads": heads, "num_key_value_heads": kv_heads,
        "head_dim": head_dim, "vocab_size": int(rng.integers(50, 400)), "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5, "rope_theta": float(rng.choice([10000, 500000])), "hidden_act": "silu",
        "attention_bias": bool(rng.random() < 0.5), "mlp_bias": False, "tie_word_embeddings": bool(rng.random() < 0.5),
        "bos_token_id": 1, "eos_token_id": 2,
    }


def random_tensors(rng, c):
    h, vocab, mlp = c["hidden_size"], c["vocab_size"], c["intermediate_size"]
    q, kv = c["num_attention_heads"] * c["head_dim"], c["num_key_value_heads"] * c["head_dim"]
    matrix = lambda out, inputs: rng.normal(0, inputs ** -0.5, (out, inputs))
    norm = lambda: rng.normal(1, 0.2, h)
    w = {"model.embed_tokens.weight": rng.normal(0, 1, (vocab, h)), "model.norm.weight": norm()}
    if not c["tie_word_embeddings"]:
        w["lm_head.weight"] = matrix(vocab, h)
    for i in range(c["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        w[layer + "input_layernorm.weight"], w[layer + "post_attention_layernorm.weight"] = norm(), norm()
        for name, out, inputs in [("q", q, h), ("k", kv, h), ("v", kv, h), ("o", h, q)]:
            w[f"{layer}self_attn.{name}_proj.weight"] = matrix(out, inputs)
            # The reference adds no bias after the attention output: o's is there, and zero.
            if c["attention_bias"]:
                w[f"{layer}self_attn.{name}_proj.bias"] = rng.normal(0, 0.3, out) * (name != "o")
        for name, out, inputs in [("gate", mlp, h), ("up", mlp, h), ("down", h, mlp)]:
            w[f"{layer}mlp.{name}_proj.weight"] = matrix(out, inputs)
    return w


def write_checkpoint(rng, folder):
    config = random_config(rng)
    (folder / "config.json").write_text(json.dumps(config))
    tensors, dtype = random_tensors(rng, config), str(rng.choice(list(DTYPES)))
    shards = int(rng.integers(1, 4))
    names, index = sorted(tensors), {}
    for s in range(shards):
        file = f"model-{s + 1:05d}-of-{shards:05d}.safetensors" if shards > 1 else "model.safetensors"
        part = {n: tensors[n] for n in names[s::shards]}
        write_safetensors(folder / file, part, dtype)
        index.update({n: file for n in part})
    if shards > 1:
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    return config, f"{dtype}, {shards} file(s)"


def make_case(rng, model, config, steps):
    prompt = [1] + rng.integers(0, config["vocab_size"], rng.integers(1, 90)).tolist()
    logits = model.forward(prompt, [0] * len(prompt), [[]])
    greedy, at = model.greedy(prompt, steps, [])
    best = np.sort(at, -1)
    # Where two tokens are nearly equal, rounding decides: compare up to there.
    close = np.flatnonzero(best[:, -1] - best[:, -2] < 1e-3)
    greedy = greedy[:close[0]] if len(close) else greedy
    rows = sorted(set(rng.integers(0, len(prompt), 6).tolist()) | {len(prompt) - 1})
    return {"memory": {"enabled": False}, "prompt_ids": prompt, "greedy_ids": greedy,
            "rows": {str(r): [[i, float(v)] for i, v in enumerate(logits[r])] for r in rows}}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("parity"), parser.add_argument("shared", type=Path)
    parser.add_argument("--models", type=int, default=12), parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    reference = options.shared / "reference"
    if not (reference / "memory3_reference.py").exists():
        print(f"skipped: {reference} is absent")
        return 77
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(reference))
    from memory3_reference import Model
    seed = options.seed if options.seed is not None else int(np.random.SeedSequence().entropy % 2**32)
    print("seed", seed)
    rng, failures = np.random.default_rng(seed), 0
    for number in range(options.models):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            config, stored = write_checkpoint(rng, folder)
            case = make_case(rng, Model(folder), config, options.steps)
            (folder / "case.json").write_text(json.dumps(case))
            for dtype in ["f32", "bf16"]:
                run = subprocess.run([options.parity, f"--model_dir={folder}", f"--case={folder / 'case.json'}",
                                      f"--dtype={dtype}"], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                if run.returncode != 0:
                    failures += 1
                    print(f"model {number} ({stored}) in {dtype}: {json.dumps(config)}\n{run.stdout}")
    print(f"{options.models} models, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
