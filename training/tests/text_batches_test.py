"""Ordinary texts with the references found for their chunks: what is paired, and who sees what."""

import stat
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import needs_torch  # noqa: E402, F401

from memory3_training.config import MemorySettings  # noqa: E402
from memory3_training.paired import Paired, pair, read_paired, references_of_text, write_paired  # noqa: E402
from memory3_training.text_batches import TextBatcher  # noqa: E402

MEMORY = MemorySettings((0, 1), reference_tokens=8, kept_tokens=2, memories_per_chunk=3, chunk_tokens=4)
# Names every reference for every query, in their order.
PROGRAM = """#!/usr/bin/env python3
import json, sys
flags = dict(a.lstrip("-").split("=", 1) for a in sys.argv[1:])
count = sum(1 for _ in open(flags["references"]))
with open(flags["out"], "w") as out:
    for _ in open(flags["queries"]):
        ids = list(range(min(count, int(flags["k"]))))
        out.write(json.dumps({"ids": ids, "scores": [1.0] * len(ids)}) + "\\n")
"""


class Words:
    """A token for every word."""

    bos = 0

    def __init__(self) -> None:
        self.known = ["<s>"]

    def encode(self, text: str) -> list[int]:
        for word in text.split():
            if word not in self.known:
                self.known.append(word)
        return [self.known.index(word) for word in text.split()]

    def decode(self, ids: list[int]) -> str:
        return " ".join(self.known[i] for i in ids if i)


class TextBatches(unittest.TestCase):
    def test_references_are_whole_sentences_within_the_limit(self) -> None:
        found = list(references_of_text("a b c. d e f. g h i j. k\nl m n o p q r s t.", Words(), 8))
        self.assertEqual(found, ["a b c. d e f.", "g h i j. k", "l m n o p q r s t."])

    def test_a_chunk_never_gets_a_reference_that_its_text_holds(self) -> None:
        words = Words()
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / "neighbours"
            program.write_text(PROGRAM)
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
            first, second = pair(["a b c d e f.", "g h i j k l."], words, program, MEMORY)
            self.assertEqual(first.references, [words.encode("g h i j k l.")] * 2)
            self.assertEqual(second.references, [words.encode("a b c d e f.")] * 2)
            alone = list(pair(["a b c d e f."], words, program, MEMORY))
            self.assertEqual(alone[0].references, [[], []])
            file = Path(folder) / "paired.jsonl"
            self.assertEqual(write_paired(file, [first, *alone]), (2, 4, 2))
            self.assertEqual(read_paired(file), [first, *alone])

    def test_a_chunk_sees_its_reference_and_those_of_the_chunks_before(self) -> None:
        text = Paired(list(range(20)), [[40 + c] * 5 if c != 1 else [] for c in range(5)])
        batch = TextBatcher([text], MEMORY).with_memory(2, 5, seed=1, step=1)
        self.assertEqual(batch.ids[0].tolist(), text.ids)
        for row in range(20):
            seen = [batch.references.ids[number][0].item() for number, is_seen in
                    zip(batch.attached.sets[1], batch.attached.visible[1, row]) if is_seen and number >= 0]
            chunk = row // 4
            self.assertEqual(seen, [40 + c for c in range(max(0, chunk - 2), chunk + 1) if c != 1])

    def test_plain_batches_are_pieces_of_the_texts(self) -> None:
        texts = [Paired(list(range(100, 150)), []), Paired([7, 8, 9], [])]
        batch = TextBatcher(texts, MEMORY).plain(12, 10, seed=1, step=1)
        for ids, weights in zip(batch.ids.tolist(), batch.weights.tolist()):
            piece = [i for i, w in zip(ids[1:], weights[1:]) if w > 0]
            self.assertEqual([b - a for a, b in zip(piece, piece[1:])], [1] * (len(piece) - 1))


if __name__ == "__main__":
    unittest.main()
