"""Writes the folder that is served: weights in bfloat16, configuration, tokenizer.

    python3 -m memory3_training.export --model RUN/annealing/model --out models/demo [--kept_tokens 16]

Kept tokens and memory layers may be set to what was measured to work best; everything else is as it
was trained.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch

from memory3_training import folder as folders
from memory3_training.config import ModelShape
from memory3_training.model import MemoryModel


def export(source: Path, out: Path, kept_tokens: int | None, dtype: torch.dtype) -> None:
    model = folders.load_model(source, [0])
    memory = model.shape.memory
    if kept_tokens is not None:
        memory = replace(memory, kept_tokens=kept_tokens)
    served = MemoryModel(replace(model.shape, memory=memory), [0])
    served.load_state_dict(model.state_dict())
    folders.save_model(served, out, dtype)
    folders.copy_tokenizer(source, out)
    shape = ModelShape.from_hf_config(json.loads((out / "config.json").read_text()))
    weights = sum(p.numel() for p in served.parameters())
    size = sum(file.stat().st_size for file in out.iterdir())
    print(f"{out}: {weights:,} weights, {size / 1e6:.1f} MB, memory layers "
          f"{list(shape.memory.memory_layers)}, {shape.memory.kept_tokens} kept tokens")


def main() -> None:
    parser = argparse.ArgumentParser(prog="memory3_training.export", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--model", type=Path, required=True, help="a stage's model folder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kept_tokens", type=int)
    parser.add_argument("--f32", action="store_true", help="float32 instead of bfloat16")
    arguments = parser.parse_args()
    dtype = torch.float32 if arguments.f32 else torch.bfloat16
    export(arguments.model, arguments.out, arguments.kept_tokens, dtype)


if __name__ == "__main__":
    main()
