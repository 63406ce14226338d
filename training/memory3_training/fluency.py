"""Ordinary text, so that a model trained on an invented world also meets other sentences.

    python3 -m memory3_training.fluency --corpora FOLDER --out fluency.jsonl

The folder may hold .txt files (documents divided by lines of <|endoftext|>; one without is cut into
passages at blank lines), .jsonl files and .json lists of objects with a text. What passes the rules of
cleaning and is no near duplicate becomes a plain document of training. Nothing needs these texts.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from memory3_training.cleaning import RuleLimits, reason_to_drop, without_near_duplicates
from memory3_training.cleaning.documents import read_documents, write_documents

# Encyclopaedia paragraphs of two sentences are worth reading, too.
LIMITS = RuleLimits(min_words=20)
PASSAGE_WORDS = 200  # what is not divided into documents is cut into about that many words


def fluency_documents(folder: Path) -> list[str]:
    """The documents of all files in the order of their names. Raises ValueError naming a bad file."""
    texts = (text for file in sorted(folder.iterdir()) for text in _texts_of(file))
    passing = (text for text in texts if reason_to_drop(text, LIMITS) is None)
    return list(without_near_duplicates(passing))


def _texts_of(file: Path) -> Iterator[str]:
    if file.suffix == ".json":
        yield from _texts_of_list(file)
    elif file.suffix == ".jsonl":
        yield from (document["text"] for document in read_documents(file))
    elif file.suffix == ".txt":
        for document in read_documents(file):
            yield from passages(document["text"])


def _texts_of_list(file: Path) -> Iterator[str]:
    try:
        documents = json.loads(file.read_text("utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{file}: {error}") from None
    if not isinstance(documents, list):
        raise ValueError(f"{file}: must be a list of objects with a text")
    for number, document in enumerate(documents):
        if not isinstance(document, dict) or not isinstance(document.get("text"), str):
            raise ValueError(f"{file}: entry {number} must be an object with a text")
        yield document["text"].strip()


def passages(text: str, words: int = PASSAGE_WORDS) -> Iterator[str]:
    """The text itself if it is short; else runs of paragraphs of about so many words."""
    if len(text.split()) <= 2 * words:
        yield text
        return
    run: list[str] = []
    length = 0
    for paragraph in text.split("\n\n"):
        run.append(paragraph)
        length += len(paragraph.split())
        if length >= words:
            yield "\n\n".join(run).strip()
            run, length = [], 0
    if length:
        yield "\n\n".join(run).strip()


def main() -> int:
    parser = argparse.ArgumentParser(prog="memory3_training.fluency", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--corpora", type=Path, required=True, help="folder of texts")
    parser.add_argument("--out", type=Path, required=True, help=".jsonl file, or .txt")
    arguments = parser.parse_args()
    try:
        texts = fluency_documents(arguments.corpora)
        count = write_documents(arguments.out, ({"text": text} for text in texts))
    except (ValueError, OSError) as error:
        print(f"memory3_training.fluency: {error}", file=sys.stderr)
        return 2
    print(f"{arguments.out}: {count} documents")
    return 0


if __name__ == "__main__":
    sys.exit(main())
