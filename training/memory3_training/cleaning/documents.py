"""Documents in files: .jsonl, an object with a text per line; .txt, texts between separators."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

SEPARATOR = "<|endoftext|>"  # on a line of its own between the documents of a .txt file

Document = dict[str, object]  # at least "text"


def read_documents(file: Path) -> Iterator[Document]:
    """Raises ValueError naming file and line."""
    if file.suffix == ".txt":
        for text in file.read_text("utf-8").split(SEPARATOR):
            if text.strip():
                yield {"text": text.strip()}
    elif file.suffix == ".jsonl":
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _parsed(line, f"{file}:{number}")
    else:
        raise ValueError(f"{file}: must end in .txt or .jsonl")


def _parsed(line: str, place: str) -> Document:
    try:
        document = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{place}: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("text"), str):
        raise ValueError(f"{place}: must be an object with a text")
    return document


def write_documents(file: Path, documents: Iterable[Document]) -> int:
    """In the format of the file's name; gives how many. A .txt file keeps the texts alone."""
    if file.suffix not in (".txt", ".jsonl"):
        raise ValueError(f"{file}: must end in .txt or .jsonl")
    count = 0
    with file.open("w", encoding="utf-8", newline="\n") as out:
        for document in documents:
            if file.suffix == ".jsonl":
                out.write(json.dumps(document, ensure_ascii=False) + "\n")
            else:
                out.write(f"{SEPARATOR}\n" * (count > 0) + f"{document['text']}\n")
            count += 1
    return count
