"""A world as files.

encyclopaedia.jsonl  an article per line, as `memory3-bank build --input` reads it: id, title, text,
                     and split, kind, language, which it passes over
questions.jsonl      a question per line: entity_id, entity (its name), split, kind, language,
                     attribute, question, answer, sentence; one about each attribute of every
                     held-out and absent entity, and of as many training entities as there are
                     held-out ones
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from memory3_training.world.asking import questions
from memory3_training.world.entity import Entity, Question
from memory3_training.world.generate import World
from memory3_training.world.streams import stream


def encyclopaedia(world: World) -> Iterator[dict[str, object]]:
    for entity in world.bank():
        yield {
            "id": str(entity.id),
            "title": entity.name,
            "text": world.article(entity),
            "split": entity.split,
            "kind": entity.kind,
            "language": entity.language,
        }


def questions_to_measure(world: World) -> Iterator[dict[str, object]]:
    held_out, absent = world.split("held_out"), world.split("absent")
    train = world.split("train")
    known = stream(world.seed, "measured").sample(train, min(len(train), len(held_out)))
    for entity in (*held_out, *absent, *known):
        for one in questions(entity, stream(world.seed, "question", entity.id)):
            yield _as_line(entity, one)


def _as_line(entity: Entity, one: Question) -> dict[str, object]:
    return {
        "entity_id": entity.id,
        "entity": entity.name,
        "split": entity.split,
        "kind": entity.kind,
        "language": entity.language,
        "attribute": one.attribute,
        "question": one.text,
        "answer": one.answer,
        "sentence": one.sentence,
    }


def write_lines(file: Path, lines: Iterable[dict[str, object]]) -> int:
    count = 0
    with file.open("w", encoding="utf-8", newline="\n") as out:
        for line in lines:
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
            count += 1
    return count


def write_world(world: World, folder: Path) -> dict[Path, int]:
    """Both files; gives how many lines each has."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {
        folder / "encyclopaedia.jsonl": encyclopaedia(world),
        folder / "questions.jsonl": questions_to_measure(world),
    }
    return {file: write_lines(file, lines) for file, lines in written.items()}
