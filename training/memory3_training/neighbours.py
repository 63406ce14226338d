"""What the project's own retrieval finds: the memories that training pairs its texts with.

    queries = chunk_queries(prompt_ids, tokenizer.decode)
    found = nearest(program, references, queries, k=5)

`program` is build/release/bin/memory3-neighbours; it embeds and searches as the retrieval service
does.
"""

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

CHUNK_TOKENS = 64


@dataclass(frozen=True)
class Neighbour:
    reference: int  # its place in the list of references
    score: float  # inner product of unit vectors


def chunk_queries(
    ids: Sequence[int], decode: Callable[[Sequence[int]], str], chunk_tokens: int = CHUNK_TOKENS
) -> list[str]:
    """The query of each chunk of a prompt, as the engine makes it.

    `ids` is the whole prompt with its BOS, `decode` leaves special tokens out. A full chunk is
    looked up by its own tokens; a shorter one at the end by the prompt's last `chunk_tokens`.
    """
    ends = [min(begin + chunk_tokens, len(ids)) for begin in range(0, len(ids), chunk_tokens)]
    return [decode(ids[max(0, end - chunk_tokens) : end]) for end in ends]


def nearest(
    program: Path, references: Iterable[tuple[str, str]], queries: Iterable[str], k: int
) -> list[list[Neighbour]]:
    """For every query the `k` nearest references, best first; a reference is (title, text).

    Raises RuntimeError with the program's message.
    """
    with tempfile.TemporaryDirectory() as folder:
        names = ("references.jsonl", "queries.jsonl", "found.jsonl")
        inputs, asked, found = (Path(folder) / name for name in names)
        _write(inputs, ({"title": title, "text": text} for title, text in references))
        _write(asked, ({"text": text} for text in queries))
        flags = [f"--references={inputs}", f"--queries={asked}", f"--out={found}", f"--k={k}"]
        run = subprocess.run([str(program), *flags], capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise RuntimeError(run.stderr.strip() or f"{program} ended with {run.returncode}")
        with found.open(encoding="utf-8") as lines:
            return [_neighbours(json.loads(line)) for line in lines]


def _write(file: Path, lines: Iterable[dict[str, str]]) -> None:
    with file.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _neighbours(line: dict) -> list[Neighbour]:
    return [
        Neighbour(int(reference), score)
        for reference, score in zip(line["ids"], line["scores"], strict=True)
    ]
