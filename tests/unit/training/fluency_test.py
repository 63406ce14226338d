#!/usr/bin/env python3
"""Tests of reading ordinary texts for training."""

import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
CORPORA = ROOT.parent / "shared" / "data" / "corpora"
sys.path.insert(0, str(ROOT / "training"))

from memory3_training.fluency import PASSAGE_WORDS, fluency_documents, passages

WORDS = "the a mill river wheel miller ground wheat slept and of in when it was old new day".split()


def prose(words: int, seed: int) -> str:
    rng = random.Random(seed)
    return " ".join(rng.choice(WORDS) for _ in range(words))


class FluencyTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_reads_every_format_and_drops_what_cleaning_drops(self):
        texts = [prose(60, seed) for seed in range(6)]
        (self.folder / "a.txt").write_text(f"{texts[0]}\n<|endoftext|>\n{texts[1]}\n")
        (self.folder / "b.json").write_text(json.dumps([{"title": "T", "text": texts[2]}]))
        lines = [{"text": texts[3]}, {"text": "too short"}, {"text": texts[0]}]
        (self.folder / "c.jsonl").write_text("\n".join(map(json.dumps, lines)))
        (self.folder / "d.csv").write_text(texts[4])
        self.assertEqual(fluency_documents(self.folder), texts[:4])

    def test_long_texts_are_cut_at_blank_lines(self):
        speeches = [prose(30, seed) for seed in range(40)]
        cut = list(passages("\n\n".join(speeches)))
        self.assertEqual("\n\n".join(cut), "\n\n".join(speeches))
        for passage in cut[:-1]:
            self.assertIn(len(passage.split()), range(PASSAGE_WORDS, PASSAGE_WORDS + 30))
        self.assertEqual(list(passages("one\n\ntwo")), ["one\n\ntwo"])

    def test_bad_files_are_named(self):
        for content in ("{", "{}", '[{"title": "no text"}]'):
            (self.folder / "bad.json").write_text(content)
            with self.assertRaisesRegex(ValueError, "bad.json"):
                fluency_documents(self.folder)
        result = subprocess.run(
            [sys.executable, "-m", "memory3_training.fluency"]
            + [f"--corpora={self.folder}", f"--out={self.folder / 'out.jsonl'}"],
            cwd=ROOT / "training",
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual((result.returncode, "bad.json" in result.stderr), (2, True), result)

    @unittest.skipUnless(CORPORA.is_dir(), "needs ../shared/data/corpora")
    def test_shared_corpora_are_read(self):
        stories = (CORPORA / "tinystories-2000.txt").read_text("utf-8").split("<|endoftext|>")
        (self.folder / "stories.txt").write_text("<|endoftext|>".join(stories[:100]))
        plays = (CORPORA / "tinyshakespeare.txt").read_text("utf-8")[:50_000]
        (self.folder / "plays.txt").write_text(plays)
        articles = json.loads((CORPORA / "2wikimultihopqa_corpus.json").read_text("utf-8"))
        (self.folder / "articles.json").write_text(json.dumps(articles[:100]))
        documents = fluency_documents(self.folder)
        self.assertGreater(len(documents), 150)
        self.assertLessEqual(max(len(text.split()) for text in documents), 4 * PASSAGE_WORDS)


if __name__ == "__main__":
    unittest.main()
