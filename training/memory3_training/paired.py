"""Ordinary texts for the second stage: every chunk with the reference that retrieval finds for it.

    python3 -m memory3_training.paired --texts fluency.jsonl --tokenizer DIR \\
        --program build/release/bin/memory3-neighbours --out paired.jsonl

The texts are cut into references, as a bank's are, and into chunks of 64 tokens. A chunk gets the nearest
reference that its text does not hold nearly word for word (more than 90 %: it would learn to copy what is
coming). memory3_training.train --paired FILE trains on them, as plain documents and with memories.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from memory3_training.cleaning.documents import read_documents
from memory3_training.cleaning.overlap import overlaps
from memory3_training.config import MemorySettings
from memory3_training.neighbours import chunk_queries, nearest

_CANDIDATES = 8  # nearest references that are tried before a chunk goes without one
_BORDERS = re.compile(r"(?<=[.!?。！？])\s+|\n+")
_SIZES = MemorySettings(memory_layers=(0,))


@dataclass(frozen=True)
class Paired:
    """ids begins with <s>; references[c] are the ids of the reference of chunk c, empty for none."""

    ids: list[int]
    references: list[list[int]]


def references_of_text(text: str, tokenizer, limit: int = _SIZES.reference_tokens) -> Iterator[str]:
    """Runs of whole sentences of at most `limit` tokens; a longer sentence is cut when it is encoded."""
    run = ""
    for sentence in filter(None, _BORDERS.split(text)):
        longer = f"{run} {sentence}" if run else sentence
        if run and len(tokenizer.encode(longer)) > limit:
            yield run
            longer = sentence
        run = longer
    if run:
        yield run


def pair(texts: Sequence[str], tokenizer, program: Path, sizes: MemorySettings = _SIZES) -> Iterator[Paired]:
    """Every text with its references, in order. Raises RuntimeError with the program's message."""
    references = [one for text in texts for one in references_of_text(text, tokenizer, sizes.reference_tokens)]
    encoded = [tokenizer.encode(one)[:sizes.reference_tokens] for one in references]
    documents = [[tokenizer.bos, *tokenizer.encode(text)] for text in texts]
    queries = [chunk_queries(ids, tokenizer.decode, sizes.chunk_tokens) for ids in documents]
    found = iter(nearest(program, (("", one) for one in references), (q for some in queries for q in some),
                         _CANDIDATES))
    for ids, asked in zip(documents, queries):
        chosen = []
        for _ in asked:
            near = (encoded[one.reference] for one in next(found))
            chosen.append(next((one for one in near if not overlaps(one, ids)), []))
        yield Paired(ids, chosen)


def write_paired(file: Path, paired: Iterable[Paired]) -> tuple[int, int, int]:
    """How many documents, chunks, and chunks without a reference."""
    documents = chunks = alone = 0
    with file.open("w", encoding="utf-8") as out:
        for one in paired:
            out.write(json.dumps(asdict(one)) + "\n")
            documents += 1
            chunks += len(one.references)
            alone += sum(not reference for reference in one.references)
    return documents, chunks, alone


def read_paired(file: Path) -> list[Paired]:
    with file.open(encoding="utf-8") as lines:
        return [Paired(**json.loads(line)) for line in lines]


def main() -> int:
    from memory3_training.tokenizer import TextTokenizer  # needs a package that the tests of the rest do not

    parser = argparse.ArgumentParser(prog="memory3_training.paired", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--texts", type=Path, required=True, nargs="+", help=".jsonl or .txt files")
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder of the tokenizer")
    parser.add_argument("--program", type=Path, required=True, help="memory3-neighbours")
    parser.add_argument("--out", type=Path, required=True, help=".jsonl file to write")
    arguments = parser.parse_args()
    try:
        texts = [str(one["text"]) for file in arguments.texts for one in read_documents(file)]
        paired = pair(texts, TextTokenizer(arguments.tokenizer), arguments.program)
        documents, chunks, alone = write_paired(arguments.out, paired)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"memory3_training.paired: {error}", file=sys.stderr)
        return 2
    print(f"{arguments.out}: {documents} documents, {chunks} chunks, {alone} without a reference")
    return 0


if __name__ == "__main__":
    sys.exit(main())
