"""Does the engine compute what PyTorch computes with the same weights?

    python3 -m memory3_training.parity --model models/demo --program build/release/bin/memory3-parity

Writes cases for memory3-parity from the PyTorch model, in float32: articles to be encoded, a prompt of
several chunks, a greedy continuation of 200 tokens whose memories change at every chunk. Exit status 0
when the engine agrees with all of them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import torch

from memory3_training import folder as folders
from memory3_training.batches import references_of
from memory3_training.model import Attached, MemoryModel
from memory3_training.tokenizer import TextTokenizer
from memory3_training.world import article, question, stream
from memory3_training.world.arguments import add_world_arguments, world_from

_ARTICLES = 12
_TURNS = 6
_LISTED = 10  # logits of a row


def chunk_of_rows(prompt: int, rows: int, chunk: int) -> list[int]:
    """Row -> chunk; the first chunk of the answer inherits the memories of the last of the prompt."""
    last = (prompt - 1) // chunk
    return [row // chunk if row < prompt else last + (row - prompt) // chunk for row in range(rows)]


class Case:
    """One case: what is fed to both, and PyTorch's answers."""

    def __init__(self, model: MemoryModel, texts: list[list[int]], prompt: list[int],
                 sets: list[list[int]]) -> None:
        self.model, self.texts, self.prompt, self.sets = model, texts, prompt, sets
        self.prefix = model.encode_prefix()
        self.memories = model.encode_references(references_of(texts), self.prefix)

    def logits(self, ids: list[int]) -> torch.Tensor:
        chunks = chunk_of_rows(len(self.prompt), len(ids), self.model.shape.memory.chunk_tokens)
        seen = torch.zeros(1, len(ids), len(self.texts), dtype=torch.bool)
        for row, chunk in enumerate(chunks):
            seen[0, row, self.sets[chunk]] = True
        everything = torch.arange(len(self.texts))[None]
        hidden = self.model.forward_memory(torch.tensor([ids]), self.prefix, self.memories,
                                           Attached(everything, seen))
        return self.model.logits(hidden)[0]

    def greedy(self, steps: int) -> tuple[list[int], float]:
        """The continuation, and by how much the closest choice was won."""
        ids, margin = list(self.prompt), float("inf")
        for _ in range(steps):
            best = self.logits(ids)[-1].topk(2)
            margin = min(margin, float(best.values[0] - best.values[1]))
            ids.append(int(best.indices[0]))
        return ids[len(self.prompt):], margin

    def to_json(self, steps: int) -> dict:
        shape, kept = self.model.shape, self.model.shape.memory.kept_tokens
        greedy, margin = self.greedy(steps)
        logits = self.logits(self.prompt)
        top = {str(row): [[int(i), float(v)] for v, i in zip(*logits[row].topk(_LISTED))]
               for row in range(0, len(self.prompt), 7)}
        references = []
        for number, text in enumerate(self.texts):
            layers = {}
            for layer, (keys, values) in self.memories.layers.items():
                index = self.memories.index[layer][number, :, :min(kept, len(text))]
                layers[str(layer)] = {"index": index.tolist(), "key0": keys[number, 0, 0].tolist(),
                                      "value0": values[number, 0, 0].tolist()}
            references.append({"ids": text, "layers": layers})
        memory = {k: v for k, v in asdict(shape.memory).items() if k != "reference_prefix"}
        memory["memory_layers"] = list(shape.memory.memory_layers)
        return {"memory": {**memory, "enabled": True}, "references": references,
                "prefix_ids": self.model.prefix_ids[0].tolist(), "prompt_ids": self.prompt,
                "memory_sets": self.sets, "rows": top, "greedy_ids": greedy,
                "smallest_greedy_margin": margin}


def make_case(model: MemoryModel, tokenizer: TextTokenizer, world, seed: int, steps: int) -> Case:
    """Articles of held-out entities, a prompt of questions about them."""
    rng = stream(world.seed, "parity", seed)
    entities = rng.sample(world.split("held_out", language="en"), _ARTICLES)
    limit, chunk = model.shape.memory.reference_tokens, model.shape.memory.chunk_tokens
    texts = [tokenizer.encode(article(entity, rng))[:limit] for entity in entities]
    prompt = [tokenizer.bos]
    for turn, entity in enumerate(entities[:_TURNS]):
        one = question(entity, rng.choice(list(entity.attributes)), rng)
        prompt += tokenizer.encode(f"Question: {one.text}\nAnswer:")
        if turn + 1 < _TURNS:
            prompt += [*tokenizer.encode(one.answer), tokenizer.eos]
    chunks = chunk_of_rows(len(prompt), len(prompt) + steps, chunk)[-1] + 1
    most = model.shape.memory.memories_per_chunk
    sets = [sorted(rng.sample(range(_ARTICLES), rng.randint(0 if c == 1 else 1, most)))
            for c in range(chunks)]
    return Case(model, texts, prompt, sets)


@torch.no_grad()
def main() -> int:
    parser = argparse.ArgumentParser(prog="memory3_training.parity", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_world_arguments(parser)
    parser.add_argument("--model", type=Path, required=True, help="model folder with its tokenizer")
    parser.add_argument("--program", type=Path, required=True, help="memory3-parity")
    parser.add_argument("--cases", type=int, default=3)
    parser.add_argument("--steps", type=int, default=200, help="tokens of the greedy continuation")
    arguments = parser.parse_args()
    tokenizer = TextTokenizer(arguments.model)
    shape = folders.load_model(arguments.model, [0]).shape
    prefix = tokenizer.prefix_ids(shape.memory.reference_prefix)
    model, world = folders.load_model(arguments.model, prefix), world_from(arguments)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.cases):
            case = make_case(model, tokenizer, world, number, arguments.steps)
            content = case.to_json(arguments.steps)
            file = Path(folder) / f"{number}.json"
            file.write_text(json.dumps(content))
            print(f"case {number}: closest choice {content['smallest_greedy_margin']:.2g}", flush=True)
            run = subprocess.run([arguments.program, f"--model_dir={arguments.model}",
                                  f"--case={file}", "--dtype=f32"], check=False)
            failed += run.returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
