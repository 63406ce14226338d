"""Drops what is no text and what is there already.

    python3 -m memory3_training.cleaning --input FILE... --out FILE

Files are .jsonl (an object with "text" per line; other fields are kept) or .txt (documents divided
by lines of <|endoftext|>).
"""

import argparse
import dataclasses
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from memory3_training.cleaning.documents import Document, read_documents, write_documents
from memory3_training.cleaning.minhash import THRESHOLD, without_near_duplicates
from memory3_training.cleaning.rules import RuleLimits, reason_to_drop


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="memory3_training.cleaning", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--input", type=Path, nargs="+", required=True, help="files to read")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument(
        "--threshold",
        type=float,
        default=THRESHOLD,
        help=f"Jaccard index from which on a text is a duplicate (default {THRESHOLD})",
    )
    for field in dataclasses.fields(RuleLimits):
        parser.add_argument(
            f"--{field.name}",
            type=field.type,
            default=field.default,
            help=f"rule (default {field.default})",
        )
    return parser


def main() -> int:
    arguments = _parser().parse_args()
    names = [field.name for field in dataclasses.fields(RuleLimits)]
    limits = RuleLimits(**{name: getattr(arguments, name) for name in names})
    seen: Counter[str] = Counter()

    def passing() -> Iterator[Document]:
        for file in arguments.input:
            for document in read_documents(file):
                reason = reason_to_drop(document["text"], limits)
                seen[reason or "passing"] += 1
                if reason is None:
                    yield document

    try:
        unique = without_near_duplicates(
            passing(), lambda document: document["text"], arguments.threshold
        )
        kept = write_documents(arguments.out, unique)
    except (ValueError, OSError) as error:
        print(f"memory3_training.cleaning: {error}", file=sys.stderr)
        return 2
    seen["near duplicate"] = seen.pop("passing", 0) - kept
    for reason, count in sorted(seen.items()):
        print(f"dropped, {reason}: {count}")
    print(f"{arguments.out}: {kept} documents")
    return 0


if __name__ == "__main__":
    sys.exit(main())
