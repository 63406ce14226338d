#!/usr/bin/env python3
"""Rotary frequencies of random configurations against this program's own, in both spellings of config.json.

    rope_twin.py ROPE_PROBE [--cases N] [--seed S]

Written from the published description of Llama 3's rule, in wavelengths where the engine counts turns: wavelengths
below context / high_freq_factor stay, above context / low_freq_factor grow by the factor, and in between the
frequencies are interpolated.
"""
import argparse
import json
import subprocess
import sys

import numpy as np


def frequencies(head_dim, theta, scaling):
    plain = 1.0 / theta ** (np.arange(0, head_dim, 2) / head_dim)
    if scaling is None or scaling["rope_type"] == "default":
        return plain
    if scaling["rope_type"] == "linear":
        return plain / scaling["factor"]
    context, low, high = (scaling[k] for k in ("original_max_position_embeddings", "low_freq_factor", "high_freq_factor"))
    wavelength = 2 * np.pi / plain
    smooth = (context / wavelength - low) / (high - low)
    between = (1 - smooth) * plain / scaling["factor"] + smooth * plain
    return np.where(wavelength < context / high, plain,
                    np.where(wavelength > context / low, plain / scaling["factor"], between))


def random_case(rng):
    head_dim, theta = 2 * int(rng.integers(1, 129)), float(np.exp(rng.uniform(np.log(100), np.log(5e6))))
    kind = str(rng.choice(["none", "default", "linear", "llama3"]))
    scaling = None if kind == "none" else {"rope_type": kind}
    if kind in ("linear", "llama3"):
        scaling["factor"] = float(rng.uniform(1, 40))
    if kind == "llama3":
        low = float(rng.uniform(0.2, 4))
        scaling.update(low_freq_factor=low, high_freq_factor=low + float(rng.uniform(0.1, 8)),
                       original_max_position_embeddings=int(rng.integers(64, 16384)))
    config = {"architectures": ["LlamaForCausalLM"], "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4,
              "head_dim": head_dim, "intermediate_size": 8, "vocab_size": 100, "max_position_embeddings": 128}
    spelling = int(rng.integers(3))
    if spelling == 0:  # rope_theta and rope_scaling
        config.update(rope_theta=theta, rope_scaling=scaling)
    elif spelling == 1:  # the oldest name of the type
        old = scaling and {("type" if k == "rope_type" else k): v for k, v in scaling.items()}
        config.update(rope_theta=theta, rope_scaling=old)
    else:  # one object for everything
        config["rope_parameters"] = dict(scaling or {"rope_type": "default"}, rope_theta=theta)
    return config, frequencies(head_dim, theta, scaling)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("probe")
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else int(np.random.SeedSequence().entropy % 2**32)
    rng = np.random.default_rng(seed)
    cases = [random_case(rng) for _ in range(options.cases)]
    answers = subprocess.run([options.probe], input="\n".join(json.dumps(c) for c, _ in cases) + "\n", text=True,
                             stdout=subprocess.PIPE, check=True).stdout.splitlines()
    failures = 0
    for (config, want), answer in zip(cases, answers, strict=True):
        got = np.array(json.loads(answer))
        if got.shape != want.shape or not np.allclose(got, want, rtol=1e-10, atol=0):
            failures += 1
            print(f"differs: {json.dumps(config)}")
    print(f"seed {seed}: {options.cases - failures} of {options.cases} agree")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
