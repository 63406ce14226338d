"""Batches of the two stages. A batch is a function of (seed, stage, step) alone: resuming needs no more."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from memory3_training.config import MemorySettings
from memory3_training.documents import BETWEEN, QUESTION_WEIGHT, Tokens, Writer
from memory3_training.model import Attached, References
from memory3_training.retrieved_groups import RetrievedGroups
from memory3_training.world import Entity, stream


@dataclass
class Batch:
    """ids (B, T) and weights (B, T): weights[:, t] is that of predicting ids[:, t]. References and
    what is attached of them are those of contexts with memory."""

    ids: Tensor
    weights: Tensor
    references: References | None = None
    attached: Attached | None = None
    kept_tokens: int = 0  # of a reference; 0: as the model is configured

    def to(self, device: torch.device) -> "Batch":
        if device.type == "cpu":
            return self
        move = lambda part: None if part is None else type(part)(  # noqa: E731
            *(t if t is None else t.to(device) for t in vars(part).values()))
        return Batch(self.ids.to(device), self.weights.to(device), move(self.references),
                     move(self.attached), self.kept_tokens)


def pad(rows: Sequence[Sequence], value: float, dtype: torch.dtype) -> Tensor:
    out = torch.full((len(rows), max(map(len, rows))), value, dtype=dtype)
    for number, row in enumerate(rows):
        out[number, :len(row)] = torch.tensor(row, dtype=dtype)
    return out


def stack(documents: Sequence[Tokens]) -> tuple[Tensor, Tensor]:
    return (pad([d.ids for d in documents], 0, torch.long),
            pad([d.weights for d in documents], 0.0, torch.float32))


def references_of(rows: Sequence[Sequence[int]]) -> References:
    return References(pad(rows, 0, torch.long), torch.tensor([len(row) for row in rows]))


@dataclass(frozen=True)
class PlainMix:
    """Documents without memory: how many per batch, how long, and what they are."""

    rows: int = 24
    length: int = 144
    lists: float = 0.2
    distances: int = len(BETWEEN)  # between names and values in lists
    talk: float = 0.02
    two_articles: float = 0.3
    three_articles: float = 0.0
    facts: float = 0.0  # of a few entities with a sentence or two each instead of articles
    statements: float = 0.0  # to be completed, in place of questions
    unknown: float = 0.0
    retold: float = 0.0  # of the others, all facts once more, half of them behind the article
    confused: float = 0.5


def plain_batch(writer: Writer, mix: PlainMix, seed: int, step: int) -> Batch:
    documents = []
    for row in range(mix.rows):
        rng = stream(seed, "plain", step, row)
        drawn = rng.random()
        if drawn < mix.lists:
            documents.append(writer.lists(mix.length, mix.confused, rng, mix.distances))
            continue
        if drawn < mix.lists + mix.talk:
            tokens = Tokens([writer.bos], [0.0])
            while len(tokens) < mix.length:
                tokens.extend(writer.talk(rng))
            documents.append(tokens.cut(mix.length))
            continue
        if rng.random() < mix.retold:
            documents.append(writer.retold(mix.length, rng))
            continue
        many = rng.random()
        if rng.random() < mix.facts:
            group = writer.inventor.facts(rng.randint(2, 5), rng, mix.confused)
            documents.append(writer.biography(group, mix.length, mix.unknown, mix.statements, rng))
            continue
        count = 3 if many < mix.three_articles else \
            2 if many < mix.three_articles + mix.two_articles else 1
        group = writer.inventor.group(count, rng, mix.confused)
        documents.append(writer.biography(group, mix.length, mix.unknown, mix.statements, rng))
    return Batch(*stack(documents))


@dataclass(frozen=True)
class MemoryMix:
    """Contexts with memory. Every group of confusable articles is shared by `rows` contexts.

    Chunk c of a context brings reference c + `visible` - 1 of the context's list and sees it and the
    `visible` - 1 before it, as in the paper's second stage: memories change at every chunk.
    """

    groups: int = 4
    rows: int = 6
    chunks: int = 2
    pool: int = 8  # articles in a group
    visible: tuple[int, ...] = (5,)  # attached to a chunk; drawn for every context
    retrieved: float = 0.0  # share of groups that retrieval finds together, where those are known
    facts: float = 0.0  # share of the other groups of which each article is a sentence or two
    statements: float = 0.0  # to be completed, in place of questions
    unknown: float = 0.0
    again: float = 0.0  # questions by pronoun
    retold: float = 0.0  # contexts that begin with all facts of one entity once more, of which half see it alone
    talk: float = 0.0
    confused: float = 0.7
    kept: tuple[int, ...] = ()  # tokens kept of a reference, drawn for every batch


class MemoryBatcher:
    def __init__(self, writer: Writer, memory: MemorySettings,
                 retrieved: RetrievedGroups | None = None) -> None:
        self.writer, self.memory, self.retrieved = writer, memory, retrieved

    def batch(self, mix: MemoryMix, seed: int, step: int) -> Batch:
        texts: list[list[int]] = []
        documents: list[Tokens] = []
        sets: list[list[int]] = []
        visible: list[Tensor] = []
        for number in range(mix.groups):
            rng = stream(seed, "memory", step, number)
            pool = self._pool(mix, rng)
            first = len(texts)
            texts += [self.writer.reference(e, rng, self.memory.reference_tokens) for e in pool]
            for _ in range(mix.rows):
                retold = rng.random() < mix.retold
                width = min(1 if retold and rng.random() < 0.5 else rng.choice(mix.visible), len(pool))
                order = rng.sample(range(len(pool)), min(len(pool), width + mix.chunks - 1))
                documents.append(self._context(pool, order, width, mix, retold, rng))
                sets.append([first + i for i in order])
                visible.append(self._visible(len(order), width, mix.chunks))
        most = max(map(len, sets))
        attached = Attached(torch.tensor([s + [-1] * (most - len(s)) for s in sets]),
                            torch.stack([torch.nn.functional.pad(v, (0, most - v.shape[1]))
                                         for v in visible]))
        kept = stream(seed, "kept", step).choice(mix.kept) if mix.kept else 0
        return Batch(*stack(documents), references_of(texts), attached, kept)

    def _pool(self, mix: MemoryMix, rng: random.Random) -> list[Entity]:
        """The entities whose articles a group of contexts shares."""
        if self.retrieved is not None and rng.random() < mix.retrieved:
            return self.retrieved.group(mix.pool, rng)
        invent = self.writer.inventor.facts if rng.random() < mix.facts else self.writer.inventor.group
        return invent(mix.pool, rng, mix.confused)

    def _window(self, chunk: int, width: int, count: int) -> range:
        """Which of a context's `count` references chunk `chunk` sees."""
        return range(min(chunk, count), min(chunk + width, count))

    def _visible(self, count: int, width: int, chunks: int) -> Tensor:
        seen = torch.zeros(chunks * self.memory.chunk_tokens, count, dtype=torch.bool)
        for chunk in range(chunks):
            rows = slice(chunk * self.memory.chunk_tokens, (chunk + 1) * self.memory.chunk_tokens)
            window = self._window(chunk, width, count)
            seen[rows, window.start:window.stop] = True
        return seen

    def _context(self, pool: Sequence[Entity], order: Sequence[int], width: int, mix: MemoryMix,
                 retold: bool, rng: random.Random) -> Tokens:
        chunk_tokens = self.memory.chunk_tokens
        tokens = Tokens([self.writer.bos], [0.0])
        before: tuple[int, int] | None = None  # who was asked about last, and in which chunk
        while len(tokens) < mix.chunks * chunk_tokens:
            chunk = len(tokens) // chunk_tokens
            seen, then = ([order[i] for i in self._window(c, width, len(order))]
                          for c in (chunk, chunk + 1))
            drawn = rng.random()
            asked = None
            if retold:
                asked, retold = rng.choice(seen), False
                turn = self.writer.retelling(pool[asked], rng)
            elif drawn < mix.talk:
                turn = self.writer.talk(rng)
            elif drawn < mix.talk + mix.unknown or not seen:
                turn = self.writer.asking(self._absent(pool, order, rng), rng)
            elif before is not None and before[1] == chunk and rng.random() < mix.again:
                asked = before[0]
                turn = self.writer.asking(pool[asked], rng, again=True)
            else:
                asked = rng.choice(seen)
                turn = self.writer.aside(pool[asked], rng) \
                    if rng.random() < mix.statements else self.writer.asking(pool[asked], rng)
            room = (chunk + 1) * chunk_tokens - len(tokens)
            if asked is not None and asked not in then and len(turn) > room:
                turn = turn.cut(room)  # its end would be in a chunk that does not see the answer
                turn.weights = [min(weight, QUESTION_WEIGHT) for weight in turn.weights]
                asked = None
            tokens.extend(turn)
            before = None if asked is None else (asked, chunk)
        return tokens.cut(mix.chunks * chunk_tokens)

    def _absent(self, pool: Sequence[Entity], order: Sequence[int], rng: random.Random) -> Entity:
        """One whose article no chunk of the context sees."""
        hidden = [entity for number, entity in enumerate(pool) if number not in order]
        if hidden and rng.random() < 0.5:
            return replace(rng.choice(hidden), split="absent")
        return self.writer.inventor.absent_from(pool, rng)
