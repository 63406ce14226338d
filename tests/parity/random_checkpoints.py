#!/usr/bin/env python3
"""Random small checkpoints through memory3-parity, against the numpy reference in ../shared.

    random_checkpoints.py MEMORY3_PARITY SHARED_DIR [--models N] [--seed S] [--steps N]

Writes each checkpoint (random shape, dtype, shards, biases, tied or not) with its own safetensors writer, lets the
reference compute logits and a greedy continuation, as a plain decoder and with explicit memory, and runs both cases in
f32 and bf16. Exit status 77 without ../shared.
"""
import argparse
import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.dont_write_bytecode = True
from bf16_twin import bf16_stable
from rounding_stable import GREEDY_MARGIN, rounding_stable

SHAPES = [  # hidden, heads, kv_heads, head_dim, mlp: odd head sizes, MHA, GQA up to 8:1, heads * head_dim != hidden
    (24, 4, 4, 6, 40), (40, 8, 1, 10, 33), (80, 5, 1, 80, 48), (64, 4, 2, 16, 96), (48, 6, 3, 14, 64), (32, 16, 2, 4, 17),
]
MAX_TRIES = 20
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


def answers(rng, model, prompt, steps, sets, prefix):
    """The part of a case that the reference computes from a prompt."""
    chunk_of = model.chunk_index(len(prompt), len(prompt))
    logits = model.forward(prompt, chunk_of, sets[:max(chunk_of) + 1], prefix)
    greedy, at = model.greedy(prompt, steps, sets, prefix)
    best = np.sort(at, -1)
    # Where two tokens are nearly equal, rounding decides: compare up to there.
    close = np.flatnonzero(best[:, -1] - best[:, -2] < GREEDY_MARGIN)
    greedy = greedy[:close[0]] if len(close) else greedy
    rows = sorted(set(rng.integers(0, len(prompt), 6).tolist()) | {len(prompt) - 1})
    return {"prompt_ids": prompt, "greedy_ids": greedy,
            "rows": {str(r): [[i, float(v)] for i, v in enumerate(logits[r])] for r in rows}}


def random_prompt(rng, config):
    return [1] + rng.integers(0, config["vocab_size"], rng.integers(1, 90)).tolist()


def plain_case(rng, model_class, folder, config, steps):
    case = answers(rng, model_class(folder), random_prompt(rng, config), steps, [[]] * 3, None)
    return {"memory": {"enabled": False}, **case}


def encode_all(rng, model, config, prefix):
    """Random references with their memories, without those whose selection rounding decides."""
    found = []
    while len(found) < 6:
        ids = rng.integers(0, config["vocab_size"], rng.integers(1, model.reference_tokens + 1)).tolist()
        model.stable = True
        memory = model.encode_reference(ids, prefix)
        if model.stable:
            found.append((ids, memory))
    return found


def memory_case(rng, model_class, folder, config, steps):
    layers, tokens = config["num_hidden_layers"], int(rng.integers(1, 60))
    settings = {"memory_layers": sorted(rng.choice(layers, rng.integers(1, layers + 1), replace=False).tolist()),
                "reference_tokens": tokens, "kept_tokens": int(rng.integers(1, min(tokens, 18) + 1)),
                "chunk_tokens": int(rng.integers(5, 70)), "selection": str(rng.choice(["softmax_sum", "exp_sum"]))}
    model = rounding_stable(model_class)(folder, settings)
    prefix = rng.integers(0, config["vocab_size"], rng.integers(1, 20)).tolist()
    references = encode_all(rng, model, config, prefix)
    prompt = random_prompt(rng, config)
    chunks = max(model.chunk_index(len(prompt), len(prompt) + steps)) + 1
    sets = [rng.choice(len(references), rng.integers(0, 6), replace=False).tolist() for _ in range(chunks)]
    case = answers(rng, model, prompt, steps, [[references[i][1] for i in s] for s in sets], prefix)
    listed = [{"ids": ids, "layers": {str(layer): {"index": kept["index"].tolist(), "key0": kept["keys"][0, 0].tolist(),
                                                   "value0": kept["values"][0, 0].tolist()}
                                      for layer, kept in memory.items()}} for ids, memory in references]
    return {"memory": {"enabled": True, **settings}, "prefix_ids": prefix, "references": listed, "memory_sets": sets, **case}


def stable_case(make, rng, model_class, folder, config, steps):
    """One that bf16's rounding does not decide."""
    for _ in range(MAX_TRIES):
        case = make(rng, model_class, folder, config, steps)
        if bf16_stable(model_class, folder, case):
            return case
    raise RuntimeError("no case in which rounding decides nothing")


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
    sys.path.insert(0, str(reference))
    from memory3_reference import Model
    seed = options.seed if options.seed is not None else int(np.random.SeedSequence().entropy % 2**32)
    print("seed", seed)
    rng, failures = np.random.default_rng(seed), 0
    for number in range(options.models):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            config, stored = write_checkpoint(rng, folder)
            for make in [plain_case, memory_case]:
                case = stable_case(make, rng, Model, folder, config, options.steps)
                (folder / "case.json").write_text(json.dumps(case))
                for dtype in ["f32", "bf16"]:
                    # A model this small may answer differently when a head keeps one other token, which rounding
                    # weights to bf16 can bring about.
                    run = subprocess.run([options.parity, f"--model_dir={folder}", f"--case={folder / 'case.json'}",
                                          f"--dtype={dtype}", f"--attach_listed={dtype == 'bf16'}"], text=True,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                    if run.returncode != 0:
                        failures += 1
                        print(f"model {number} ({stored}), {make.__name__} in {dtype}: {json.dumps(config)} "
                              f"{json.dumps(case['memory'])}\n{run.stdout}")
    print(f"{options.models} models, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
