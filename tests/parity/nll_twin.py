#!/usr/bin/env python3
"""memory3-nll's figures against the numpy reference in ../shared: what memories of stories are worth to a model.

    nll_twin.py MEMORY3_NLL TOKENIZER_DUMP SHARED_DIR

Cuts the same stories, encodes their first parts and scores their second parts with the reference, as a plain decoder, with
no memory, the right one, another story's, and with the first part as text. Exit status 77 without ../shared.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.dont_write_bytecode = True

STORIES, TOKENS = 3, 40
MODEL = "stories260K-hf"
SETTINGS = {"memory_layers": [0, 2, 3], "kept_tokens": 16, "reference_tokens": 64}
TOLERANCE = 1e-4  # of nats per token: half a unit of the last printed digit, and f32


def encode(dump, model, texts):
    requests = [json.dumps({"text": text, "add_special": False, "parse_special": False}) for text in texts]
    answer = subprocess.run([dump, str(model / "tokenizer.json")], input="\n".join(requests) + "\n", text=True, check=True,
                            stdout=subprocess.PIPE).stdout
    return [json.loads(line)["ids"] for line in answer.splitlines()]


def nll(logits, ids, first):
    """Mean over ids[first:], each predicted by the row before it."""
    top = logits.max(-1, keepdims=True)
    logp = logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))
    return -np.mean([logp[i - 1, ids[i]] for i in range(first, len(ids))])


def expected(model, stories, prefix):
    """Nats per token of each story in every setting."""
    split, scores = SETTINGS["reference_tokens"], {}
    memories = [model.encode_reference(ids[:split], prefix) for ids in stories]
    for number, ids in enumerate(stories):
        second = [model.bos] + ids[split:split + TOKENS]
        whole = [model.bos] + ids[:split + TOKENS]
        attached = {"none": [], "right": [memories[number]], "wrong": [memories[(number + 1) % len(stories)]]}
        rows = [0] * len(second)
        scores.setdefault("plain", []).append(nll(model.forward(second, rows, []), second, 1))
        scores.setdefault("context", []).append(nll(model.forward(whole, [0] * len(whole), []), whole, split + 1))
        for name, memory in attached.items():
            scores.setdefault(name, []).append(nll(model.forward(second, rows, [memory], prefix), second, 1))
    return scores


def printed(nll_program, folder, texts):
    """The program's table: setting -> (nats per token, difference to none, its standard error)."""
    command = [nll_program, f"--model_dir={folder}", f"--texts={texts}", f"--count={STORIES}", f"--tokens={TOKENS}",
               f"--memory_config={json.dumps(SETTINGS)}", "--dtype=f32"]
    out = subprocess.run(command, text=True, check=True, stdout=subprocess.PIPE).stdout
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in out.splitlines() if line.startswith("|")]
    return {row[0]: [float(cell) for cell in row[1:]] for row in cells[2:]}, out


def main():
    program, dump, shared = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    if not (shared / "reference/memory3_reference.py").exists():
        print(f"skipped: {shared / 'reference/memory3_reference.py'} is absent")
        return 77
    sys.path.insert(0, str(shared / "reference"))
    from memory3_reference import Model
    folder = shared / "data/models" / MODEL
    texts = shared / "data/corpora/tinystories-2000.txt"
    parts = texts.read_text().split("<|endoftext|>")[:20 * STORIES]
    long_enough = [ids for ids in encode(dump, folder, parts) if len(ids) > SETTINGS["reference_tokens"]]
    model = Model(folder, SETTINGS)
    prefix = [model.bos] + encode(dump, folder, ["Reference:"])[0]
    scores = expected(model, long_enough[:STORIES], prefix)
    table, out = printed(program, folder, texts)
    print(out)
    failures = 0
    for name, values in scores.items():
        differences = np.array(values) - scores["none"]
        want = [np.mean(values), differences.mean(), differences.std(ddof=1) / np.sqrt(STORIES)]
        error = np.abs(np.array(table[name]) - want).max()
        failures += not error <= TOLERANCE
        print(f"{name}: {np.round(want, 4)}, largest error {error:.1e}")
    return 1 if failures or set(table) != set(scores) else 0


if __name__ == "__main__":
    sys.exit(main())
