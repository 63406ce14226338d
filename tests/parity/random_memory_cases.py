#!/usr/bin/env python3
"""Further cases with explicit memory, made by ../shared's make_case.py with random seeds and settings.

    random_memory_cases.py MEMORY3_PARITY TOKENIZER_DUMP SHARED_DIR [--cases N] [--seed S]

Memory layers, kept tokens, lengths of references, chunks, prefix and prompt, and the selection rule are random; texts are
stories, or random tokens. Each case runs in f32 and bf16. Exit status 77 without ../shared.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.dont_write_bytecode = True
from bf16_twin import bf16_stable
from rounding_stable import GREEDY_MARGIN, rounding_stable

MODELS = ["stories260K-hf", "TinyStories-656K-hf"]
MAX_TRIES = 20


def story_ids(dump, model, shared):
    """The stories of the corpus that make_case.py can cut from, as ids."""
    stories = (shared / "data/corpora/tinystories-2000.txt").read_text().split("<|endoftext|>")[:150]
    requests = "\n".join(json.dumps({"text": s.strip(), "add_special": False, "parse_special": False}) for s in stories)
    answer = subprocess.run([dump, str(model / "tokenizer.json")], input=requests + "\n", text=True, check=True,
                            stdout=subprocess.PIPE).stdout
    return [ids for ids in (json.loads(line)["ids"] for line in answer.splitlines()) if len(ids) >= 160]


def random_settings(rng, config):
    layers, tokens = config["num_hidden_layers"], int(rng.choice([12, 40, 100, 128]))
    memory_layers = sorted(rng.choice(layers, rng.integers(1, layers + 1), replace=False).tolist())
    return {"memory_layers": memory_layers, "reference_tokens": tokens,
            "kept_tokens": int(rng.integers(1, min(tokens, 20) + 1)), "chunk_tokens": int(rng.choice([1, 7, 16, 33, 64, 100])),
            "selection": str(rng.choice(["softmax_sum", "exp_sum"]))}


def run_make_case(reference, arguments):
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", OPENBLAS_NUM_THREADS="1")
    subprocess.run([sys.executable, str(reference / "make_case.py"), *arguments], check=True, env=environment,
                   stdout=subprocess.DEVNULL)


def is_stable(model_class, model, case):
    """Whether single precision can decide every selection and every greedy token of the case, and bf16 its logits."""
    settings = {k: v for k, v in case["memory"].items() if k != "enabled"}
    oracle = rounding_stable(model_class)(model, settings)
    for reference in case["references"]:
        oracle.encode_reference(reference["ids"], case["prefix_ids"])
    if not oracle.stable or case["smallest_greedy_margin"] <= GREEDY_MARGIN:
        return False
    return bf16_stable(model_class, model, case)


def make_case(rng, model_class, shared, texts, folder):
    """One case that rounding does not decide; returns the model's folder, the case's file and what it is."""
    name = MODELS[rng.integers(len(MODELS))]
    model = shared / "data/models" / name
    config = json.loads((model / "config.json").read_text())
    for _ in range(MAX_TRIES):
        random_ids = rng.random() < 0.3
        cut_from = rng.integers(3, config["vocab_size"], (12, 200)).tolist() if random_ids else texts[name]
        (folder / "texts.json").write_text(json.dumps(cut_from))
        prefix = [1] + rng.integers(3, config["vocab_size"], rng.integers(0, 20) if rng.random() < 0.8 else 0).tolist()
        arguments = ["--seed", str(rng.integers(1 << 30)), "--memory", json.dumps(random_settings(rng, config)),
                     "--prompt", str(rng.integers(1, 140)), "--steps", str(rng.integers(1, 40)), "--prefix", json.dumps(prefix)]
        run_make_case(shared / "reference", [str(model), str(folder / "texts.json"), str(folder / "case.json"), *arguments])
        if is_stable(model_class, model, json.loads((folder / "case.json").read_text())):
            return model, folder / "case.json", f"{name} {'random ids ' if random_ids else ''}{' '.join(arguments)}"
    raise RuntimeError("no case in which rounding decides nothing")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("parity"), parser.add_argument("dump"), parser.add_argument("shared", type=Path)
    parser.add_argument("--cases", type=int, default=8)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    if not (options.shared / "reference/make_case.py").exists():
        print(f"skipped: {options.shared / 'reference/make_case.py'} is absent")
        return 77
    sys.path.insert(0, str(options.shared / "reference"))
    from memory3_reference import Model
    seed = options.seed if options.seed is not None else int(np.random.SeedSequence().entropy % 2**32)
    print("seed", seed)
    rng, failures = np.random.default_rng(seed), 0
    texts = {name: story_ids(options.dump, options.shared / "data/models" / name, options.shared) for name in MODELS}
    for number in range(options.cases):
        with tempfile.TemporaryDirectory() as name:
            model, case, what = make_case(rng, Model, options.shared, texts, Path(name))
            for dtype in ["f32", "bf16"]:
                # Rounding the weights to bf16 may decide which token a head keeps, and a row that sees few others
                # shows it: in bf16 the choice is left to the reference.
                run = subprocess.run([options.parity, f"--model_dir={model}", f"--case={case}", f"--dtype={dtype}",
                                      f"--attach_listed={dtype == 'bf16'}"], text=True, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT)
                if run.returncode != 0:
                    failures += 1
                    print(f"case {number} in {dtype}: {what}\n{run.stdout}")
    print(f"{options.cases} cases, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
