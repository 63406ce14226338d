"""Questions about training entities, each with the entities that retrieval finds for it.

    python3 -m memory3_training.retrieved --program build/release/bin/memory3-neighbours \\
        --seed 1 --rounds 2 --out retrieved.jsonl

What a question meets in serving is what retrieval makes of it: mostly the right article and those
of like names. A share of the entities is left out of what is searched; about them, and where the
right article was not found, the answer is that nothing is known. Held-out and absent entities take
no part.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from memory3_training.neighbours import nearest
from memory3_training.world import Entity, World, questions, stream
from memory3_training.world.arguments import add_world_arguments, world_from
from memory3_training.world.schema import kind_of

# The prompt that the chat template makes of one question; shorter than a chunk, so it is the query.
PROMPT = "Question: {}\nAnswer:"
LEFT_OUT = 0.1
MEMORIES = 5


@dataclass(frozen=True)
class Retrieved:
    entity_id: int
    attribute: str
    question: str
    answer: str
    found: tuple[int, ...]  # ids of entities, nearest first


def retrieve(
    world: World,
    program: Path,
    rounds: int = 1,
    k: int = MEMORIES,
    left_out: float = LEFT_OUT,
) -> list[Retrieved]:
    """`rounds` questions about every attribute of every training entity."""
    entities = world.split("train")
    searched = [one for one in entities if not is_left_out(world, one, left_out)]
    asked = [
        (entity, one)
        for entity in entities
        for number in range(rounds)
        for one in questions(entity, stream(world.seed, "retrieved", entity.id, number))
    ]
    references = [(entity.name, world.article(entity)) for entity in searched]
    found = nearest(program, references, (PROMPT.format(one.text) for _, one in asked), k)
    paired = []
    for (entity, one), neighbours in zip(asked, found, strict=True):
        ids = tuple(searched[neighbour.reference].id for neighbour in neighbours)
        answer = one.answer if entity.id in ids else kind_of(entity).unknown
        paired.append(Retrieved(entity.id, one.attribute, one.text, answer, ids))
    return paired


def is_left_out(world: World, entity: Entity, share: float) -> bool:
    return stream(world.seed, "left out", entity.id).random() < share


def read_retrieved(file: Path) -> Iterator[Retrieved]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            fields = json.loads(line)
            yield Retrieved(**{**fields, "found": tuple(fields["found"])})


def write_retrieved(file: Path, paired: list[Retrieved]) -> None:
    with file.open("w", encoding="utf-8", newline="\n") as out:
        out.writelines(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in paired)


def main() -> int:
    parser = argparse.ArgumentParser(prog="memory3_training.retrieved", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_world_arguments(parser)
    parser.add_argument("--program", type=Path, required=True, help="memory3-neighbours")
    parser.add_argument("--rounds", type=int, default=1, help="questions per attribute (default 1)")
    parser.add_argument("--k", type=int, default=MEMORIES, help=f"found (default {MEMORIES})")
    parser.add_argument(
        "--left_out", type=float, default=LEFT_OUT, help=f"share not searched (default {LEFT_OUT})"
    )
    parser.add_argument("--out", type=Path, required=True, help=".jsonl file to write")
    arguments = parser.parse_args()
    try:
        world = world_from(arguments)
        paired = retrieve(
            world, arguments.program, arguments.rounds, arguments.k, arguments.left_out
        )
        write_retrieved(arguments.out, paired)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"memory3_training.retrieved: {error}", file=sys.stderr)
        return 2
    right = sum(one.entity_id in one.found for one in paired)
    print(f"{arguments.out}: {len(paired)} questions, {right} with the right article found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
