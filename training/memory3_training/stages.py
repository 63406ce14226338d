"""What the commands of the two stages share: flags, the model's making, measuring, running."""

import argparse
import random
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import torch

from memory3_training import folder as folders
from memory3_training.batches import Batch, MemoryBatcher, plain_batch
from memory3_training.documents import Writer
from memory3_training.invented import Inventor
from memory3_training.measure import figures, make_questions
from memory3_training.model import MemoryModel
from memory3_training.paired import read_paired
from memory3_training.recipe import (
    ANNEALING_SEED,
    KIND_WEIGHTS,
    LISTS_ALONE,
    PLAIN_EVERY,
    TEXT_CHUNKS,
    TEXT_EVERY,
    TEXT_ROWS,
    Stage,
    demo_shape,
    lists_again,
    memory_mix,
    plain_mix,
    warm_up_mix,
)
from memory3_training.retrieved_groups import RetrievedGroups
from memory3_training.start_values import set_start_values
from memory3_training.text_batches import TextBatcher
from memory3_training.tokenizer import TextTokenizer
from memory3_training.trainer import LoopSettings, Trainer
from memory3_training.world.arguments import add_world_arguments, world_from
from memory3_training.world.schema import KINDS

WINDOW = 18
_MEASURED = 256  # questions while training

Kinds = dict[tuple[str, str], float]


def parse_kinds(text: str) -> Kinds:
    """"person=3,town=1,person.zh=0.5"; English where no language is named."""
    kinds: Kinds = {}
    for part in text.split(","):
        name, _, weight = part.partition("=")
        kind, _, language = name.strip().partition(".")
        key = (kind, language or "en")
        if key not in KINDS:
            raise argparse.ArgumentTypeError(f"no such kind: {part!r}")
        try:
            kinds[key] = float(weight or 1)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"no weight: {part!r}") from error
    return kinds


def stage_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"memory3_training.{name}", description=description)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_world_arguments(parser)
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder of the tokenizer")
    parser.add_argument("--out", type=Path, required=True,
                        help="folder of checkpoints, log and the trained model; an unfinished run "
                             "there goes on")
    parser.add_argument("--train_seed", type=int, default=1, help="of start values and batches")
    parser.add_argument("--kinds", type=parse_kinds, default=dict(KIND_WEIGHTS),
                        help="weights of the kinds of entities, e.g. person=3,town=1,person.zh=0.5")
    parser.add_argument("--retrieved", type=Path,
                        help="file of memory3_training.retrieved: the second stage attaches what "
                             "retrieval finds together, beside groups made up")
    parser.add_argument("--paired", type=Path,
                        help="file of memory3_training.paired: ordinary texts, a share of both stages")
    parser.add_argument("--stock", type=int, default=1 << 30,
                        help="how many first and last parts of names are used (default all)")
    parser.add_argument("--peak", type=float, default=2e-3, help="the highest learning rate of the second stage")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0: all cores")
    parser.add_argument("--f32", action="store_true", help="compute in float32, not bfloat16")
    parser.add_argument("--compile", action="store_true",
                        help="compile the passes first: steps take two thirds of the time")
    parser.add_argument("--until", type=int, default=0, help="stop before this step; go on later")
    parser.add_argument("--memory_layers", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--kept_tokens", type=int, default=16)
    for flag, default in (("hidden", 192), ("layers", 6), ("heads", 4), ("mlp", 512)):
        parser.add_argument(f"--{flag}", type=int, default=default)
    return parser


class Session:
    """World, tokenizer and model of one command."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        if arguments.threads:
            torch.set_num_threads(arguments.threads)
        self.arguments = arguments
        self.device = torch.device(arguments.device)
        self.world = world_from(arguments)
        self.tokenizer = TextTokenizer(arguments.tokenizer)

    def new_model(self) -> MemoryModel:
        a = self.arguments
        shape = demo_shape(self.tokenizer.vocab_size, tuple(a.memory_layers), a.kept_tokens, a.hidden,
                           a.layers, a.heads, a.mlp)
        model = MemoryModel(shape, self.tokenizer.prefix_ids(shape.memory.reference_prefix))
        set_start_values(model, a.train_seed)
        return model.to(self.device)

    def load_model(self, folder: Path) -> MemoryModel:
        model = folders.load_model(folder, [])
        prefix = self.tokenizer.prefix_ids(model.shape.memory.reference_prefix)
        return folders.load_model(folder, prefix).to(self.device)

    @cached_property
    def writer(self) -> Writer:
        inventor = Inventor(self.world, self.arguments.kinds, self.arguments.stock)
        return Writer(self.tokenizer, inventor)

    def retrieved(self) -> RetrievedGroups | None:
        file = self.arguments.retrieved
        return RetrievedGroups(file, self.world, self.writer.inventor) if file else None

    def texts(self, model: MemoryModel) -> TextBatcher | None:
        file = self.arguments.paired
        return TextBatcher(read_paired(file), model.shape.memory) if file else None

    def measure(self, model: MemoryModel, which: str) -> Callable[[], dict[str, float]]:
        """Of held-out entities of these kinds, as many of each as the world has."""
        kinds = self.arguments.kinds
        held_out = [e for key in kinds for e in self.world.split("held_out", *key)]
        others = [e for key in kinds for e in self.world.split("train", *key)]
        random.Random(0).shuffle(held_out)
        asked = make_questions(self.writer, held_out, others, _MEASURED, self.world.seed)
        return lambda: figures(model, self.writer, asked, which)

    def run(self, name: str, model: MemoryModel, stage: Stage, make_batch: Callable[[int], Batch],
            which: str, **settings) -> MemoryModel:
        """Trains to the end of the stage, or --until, and writes the model's folder."""
        a = self.arguments
        loop = LoopSettings(name, stage.schedule(), a.train_seed, a.out / name, bf16=not a.f32,
                            compiled=a.compile, **settings)
        trainer = Trainer(model, loop, make_batch, self.measure(model, which))
        if trainer.resume():
            print(f"{name}: going on at step {trainer.step}", flush=True)
        trainer.run(a.until or None)
        if trainer.step < stage.steps:
            print(f"{name}: stopped before step {trainer.step} of {stage.steps}")
            sys.exit(0)
        folders.save_model(model, loop.folder / "model", torch.float32)
        folders.copy_tokenizer(a.tokenizer, loop.folder / "model")
        return model


def run_warm_up(session: Session, model: MemoryModel, steps: int) -> MemoryModel:
    seed = session.arguments.train_seed
    texts = session.texts(model)

    def make_batch(step: int) -> Batch:
        mix = warm_up_mix(step, steps)
        if texts is not None and step % TEXT_EVERY == 0:
            return texts.plain(mix.rows, mix.length, seed, step)
        return plain_batch(session.writer, mix, seed, step)

    stage = Stage(steps, decay=LISTS_ALONE)
    return session.run("warm_up", model, stage, make_batch, "d1b", window=WINDOW)


def run_continual(session: Session, model: MemoryModel, steps: int) -> MemoryModel:
    a = session.arguments
    stage = Stage(steps, peak=a.peak, decay=0.5)
    return _run_with_memory(session, model, "continual", stage, a.train_seed, lambda step: step / steps)


def run_annealing(session: Session, model: MemoryModel, steps: int) -> MemoryModel:
    """More of what the second stage ends with, other batches, at a lower rate that falls."""
    a = session.arguments
    stage = Stage(steps, peak=a.peak / 2, decay=0.6)
    seed = a.train_seed + ANNEALING_SEED
    return _run_with_memory(session, model, "annealing", stage, seed, lambda step: 1.0)


def _run_with_memory(session: Session, model: MemoryModel, name: str, stage: Stage, seed: int,
                     begun: Callable[[int], float]) -> MemoryModel:
    """begun(step): how much of the second stage's mixes has gone by."""
    batcher = MemoryBatcher(session.writer, model.shape.memory, session.retrieved())
    texts = session.texts(model)

    def make_batch(step: int) -> Batch:
        if lists_again(begun(step)):
            return plain_batch(session.writer, plain_mix(1.0), seed, step)
        mix = memory_mix(step, begun(step))
        if step % PLAIN_EVERY == PLAIN_EVERY - 1:
            plain = plain_mix(0.4, mix.facts, mix.statements)
            return plain_batch(session.writer, plain, seed, step)
        if texts is not None and step % TEXT_EVERY == 0:
            return texts.with_memory(TEXT_ROWS, TEXT_CHUNKS, seed, step)
        return batcher.batch(mix, seed, step)

    return session.run(name, model, stage, make_batch, "d1abc", window=WINDOW)
