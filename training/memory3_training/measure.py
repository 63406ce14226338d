"""Five figures that say which circuit a model has (training/README.md).

d: own article as plain context. 1: right memory alone. a: right memory and four that are easily taken
for it. b: no memory. c: four wrong memories, where the right answer is that it does not know. r: the
memories that retrieval finds; u: the same, counted when the model says that it does not know.
An answer counts when every token of it, its end included, is the most likely one: then greedy
generation gives exactly it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from memory3_training.batches import Batch, references_of, stack
from memory3_training.documents import Tokens, Writer
from memory3_training.loss import hidden_states
from memory3_training.model import Attached, MemoryModel
from memory3_training.world import Entity, article, question, stream
from memory3_training.world.schema import kind_of

_AT_ONCE = 64  # questions in one pass


@dataclass(frozen=True)
class Asked:
    """A question, its answer, and the articles of the entity (first) and of four like it."""

    entity: Entity
    attribute: str
    turn: Tokens
    articles: tuple[str, ...]
    unknown_turn: Tokens
    retrieved: tuple[str, ...] = ()  # what retrieval finds, best first


def make_questions(writer: Writer, entities: Sequence[Entity], others: Sequence[Entity],
                   count: int, seed: int) -> list[Asked]:
    """About `entities` in turn; the distractors come from `others`, sharing a part of the name where
    some do."""
    by_part: dict[str, list[Entity]] = {}
    for entity in others:
        for part in entity.name.split():
            by_part.setdefault(part, []).append(entity)
    asked = []
    for number in range(count):
        entity = entities[number % len(entities)]
        rng = stream(seed, "measure", number)
        attribute = rng.choice(list(entity.attributes))
        one = question(entity, attribute, rng)
        close = {e.id: e for part in entity.name.split() for e in by_part.get(part, ())
                 if e.id != entity.id}
        close = [e for e in close.values() if e.language == entity.language]
        near = rng.sample(close, min(4, len(close)))
        while len(near) < 4:
            other = rng.choice(others)
            if kind_of(other) is kind_of(entity) and other.id != entity.id and other not in near:
                near.append(other)
        articles = tuple(article(e, rng) for e in (entity, *near))
        asked.append(Asked(entity, attribute, writer.turn(one.text, one.answer), articles,
                           writer.turn(one.text, kind_of(entity).unknown)))
    return asked


def _batches(writer: Writer, asked: Sequence[Asked], which: str, limit: int):
    """Batches of contexts with one question each."""
    for begin in range(0, len(asked), _AT_ONCE):
        some = asked[begin:begin + _AT_ONCE]
        documents, texts, sets = [], [], []
        for one in some:
            tokens = Tokens([writer.bos], [0.0])
            if which == "d":
                tokens.add(writer.tokenizer.encode(one.articles[0] + "\n"), 0.0)
            tokens.extend(one.unknown_turn if which in "cu" else one.turn)
            documents.append(tokens)
            chosen = {"1": one.articles[:1], "a": one.articles[1:3] + one.articles[:1] +
                      one.articles[3:], "c": one.articles[1:], "r": one.retrieved,
                      "u": one.retrieved}.get(which, ())
            sets.append(list(range(len(texts), len(texts) + len(chosen))))
            texts += [writer.tokenizer.encode(text)[:limit] for text in chosen]
        most = max(map(len, sets))
        ids, weights = stack(documents)
        if which in "db":
            yield Batch(ids, weights)
        else:
            padded = torch.tensor([s + [-1] * (most - len(s)) for s in sets])
            yield Batch(ids, weights, references_of(texts), Attached(padded))


@torch.no_grad()
def right_answers(model: MemoryModel, writer: Writer, asked: Sequence[Asked], which: str,
                  kept_tokens: int = 0) -> list[bool]:
    """Of every question whether the whole answer is the most likely one. `which` as above."""
    right: list[bool] = []
    limit = model.shape.memory.reference_tokens
    for batch in _batches(writer, asked, which, limit):
        batch.kept_tokens = kept_tokens
        hidden = hidden_states(model, batch)
        answer = batch.weights[:, 1:] > 1  # answers and their ends
        best = torch.zeros_like(batch.ids[:, 1:])
        best[answer] = model.logits(hidden[:, :-1][answer]).argmax(-1)
        right += ((best == batch.ids[:, 1:]) | ~answer).all(1).tolist()
    return right


def share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits)


def figures(model: MemoryModel, writer: Writer, asked: Sequence[Asked], which: str = "d1abc",
            kept_tokens: int = 0) -> dict[str, float]:
    model.eval()
    found = {one: share(right_answers(model, writer, asked, one, kept_tokens)) for one in which}
    model.train()
    return found
