"""Measures a model on questions about entities that were in no training text.

    python3 -m memory3_training.report --model models/demo --neighbours build/release/bin/memory3-neighbours

Prints accuracy with 95 % intervals: d, 1, a, b, c of memory3_training.measure, r as really retrieved
from the whole encyclopaedia, unknown for entities that are in no memory, false unknown where the right
memory was retrieved. One line per number of kept tokens and measure.
"""

import argparse
import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from memory3_training import folder as folders
from memory3_training.documents import Writer
from memory3_training.invented import Inventor
from memory3_training.measure import Asked, make_questions, right_answers
from memory3_training.model import MemoryModel
from memory3_training.neighbours import chunk_queries, nearest
from memory3_training.recipe import KIND_WEIGHTS
from memory3_training.stages import parse_kinds
from memory3_training.tokenizer import TextTokenizer
from memory3_training.world import Entity, World
from memory3_training.world.arguments import add_world_arguments, world_from

_SIGMAS = 1.96  # of a 95 % interval


def wilson(hits: Sequence[bool]) -> tuple[float, float, float]:
    """Share, and the ends of its 95 % interval."""
    count, share = len(hits), sum(hits) / len(hits)
    z = _SIGMAS ** 2 / count
    middle = (share + z / 2) / (1 + z)
    half = math.sqrt(z * (share * (1 - share) + z / 4)) / (1 + z)
    return share, middle - half, middle + half


class Reporter:
    def __init__(self, model: MemoryModel, writer: Writer, world: World, kinds, count: int,
                 seed: int) -> None:
        self.model, self.writer, self.world = model.eval(), writer, world
        self.bank = [e for e in world.bank() if (e.kind, e.language) in kinds]
        self.asked = self._questions("held_out", kinds, count, seed)
        self.absent = self._questions("absent", kinds, count, seed)

    def _questions(self, split, kinds, count: int, seed: int) -> list[Asked]:
        entities: list[Entity] = [e for key in kinds for e in self.world.split(split, *key)]
        random.Random(seed).shuffle(entities)
        others = [e for e in self.bank if e.split == "train"]
        return make_questions(self.writer, entities, others, count, seed)

    def retrieve(self, program: Path, references: int) -> float:
        """Fills in what retrieval finds; gives the share of held-out questions where it found it."""
        texts = [self.world.article(entity) for entity in self.bank]
        bank = [(entity.name, text) for entity, text in zip(self.bank, texts)]
        decode = self.writer.tokenizer.decode
        both = [*self.asked, *self.absent]
        queries = []
        for one in both:
            prompt = [self.writer.bos, *(i for i, w in zip(one.turn.ids, one.turn.weights) if w < 1)]
            queries.append(chunk_queries(prompt, decode)[-1])
        found = nearest(program, bank, queries, references)
        both = [replace(one, retrieved=tuple(texts[n.reference] for n in near))
                for one, near in zip(both, found)]
        has_it = [any(self.bank[n.reference].id == one.entity.id for n in near)
                  for one, near in zip(both, found)][:len(self.asked)]
        self.asked, self.absent = both[:len(self.asked)], both[len(self.asked):]
        return sum(has_it) / len(has_it)

    def line(self, name: str, hits: Sequence[bool], asked: Sequence[Asked]) -> None:
        share, low, high = wilson(hits)
        kinds: dict[str, list[bool]] = defaultdict(list)
        for one, hit in zip(asked, hits, strict=True):
            kinds[f"{one.entity.kind}.{one.entity.language}"].append(hit)
        each = ", ".join(f"{kind} {sum(h) / len(h):.3f}" for kind, h in sorted(kinds.items()))
        print(f"| {name} | {share:.3f} | {low:.3f}–{high:.3f} | {each} |", flush=True)

    def measure(self, which: str, kept: int) -> None:
        with torch.no_grad():
            for one in which:
                hits = right_answers(self.model, self.writer, self.asked, one, kept)
                name = {"u": "false unknown, as retrieved", "r": "as retrieved"}.get(one, one)
                self.line(f"{name}, {kept} kept", hits, self.asked)
            if "r" in which:
                hits = right_answers(self.model, self.writer, self.absent, "r", kept)
                self.line(f"unknown, as retrieved, {kept} kept", hits, self.absent)


def main() -> None:
    parser = argparse.ArgumentParser(prog="memory3_training.report", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_world_arguments(parser)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--neighbours", type=Path, help="memory3-neighbours, for what is retrieved")
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--question_seed", type=int, default=1)
    parser.add_argument("--kept_tokens", type=int, nargs="+", default=[])
    parser.add_argument("--references", type=int, default=5, help="retrieved for a question")
    parser.add_argument("--measures", default="d1abc")
    parser.add_argument("--kinds", type=parse_kinds, default=dict(KIND_WEIGHTS))
    parser.add_argument("--threads", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    tokenizer, world = TextTokenizer(arguments.model), world_from(arguments)
    prefix = folders.load_model(arguments.model, [0]).shape.memory.reference_prefix
    model = folders.load_model(arguments.model, tokenizer.prefix_ids(prefix))
    writer = Writer(tokenizer, Inventor(world, arguments.kinds))
    reporter = Reporter(model, writer, world, arguments.kinds, arguments.questions,
                        arguments.question_seed)
    which = arguments.measures
    if arguments.neighbours:
        found = reporter.retrieve(arguments.neighbours, arguments.references)
        print(f"retrieved: the right article is among {arguments.references} in {found:.3f}")
        which += "ru"
    print("| measure | share | 95 % | by kind |\n| --- | --- | --- | --- |")
    for kept in arguments.kept_tokens or [model.shape.memory.kept_tokens]:
        reporter.measure(which, kept)


if __name__ == "__main__":
    main()
