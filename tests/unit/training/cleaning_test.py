#!/usr/bin/env python3
"""Tests of cleaning: MinHash against brute-force Jaccard, overlap against the textbook table, rules."""

import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

TRAINING = pathlib.Path(__file__).resolve().parents[3] / "training"
sys.path.insert(0, str(TRAINING))

from memory3_training.cleaning import (
    MinHasher,
    jaccard,
    overlap,
    overlaps,
    reason_to_drop,
    shingles,
    without_near_duplicates,
)
from memory3_training.cleaning.minhash import rows_per_band
from memory3_training.cleaning.overlap import lcs_length
from memory3_training.cleaning.rules import RuleLimits, unigram_entropy
from memory3_training.cleaning.words import words_of

SEED = random.randrange(1 << 30)
VOCABULARY = [f"w{number}" for number in range(2000)]
PROSE = " ".join(
    ["The old mill by the river was sold to a miller who came from the north of the valley."] * 2
    + ["He ground wheat for the whole village, and in winter he carved spoons that nobody bought."]
    + [
        "When the ice broke in spring, the wheel turned day and night, and the children slept badly."
    ]
)


def true_jaccard(one: str, other: str) -> float:
    """From the definition, with shingles as tuples of words."""
    sets = []
    for text in (one, other):
        words = text.lower().split()
        sets.append({tuple(words[i : i + 5]) for i in range(max(1, len(words) - 4))})
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def variant(text: str, changes: int, rng: random.Random) -> str:
    words = text.split()
    for _ in range(changes):
        words[rng.randrange(len(words))] = rng.choice(VOCABULARY)
    return " ".join(words)


def table_lcs(one, other) -> int:
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            longer = max(table[i][j + 1], table[i + 1][j])
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else longer
    return table[-1][-1]


def table_overlap(reference, text) -> float:
    length = 2 * len(reference)
    begins = range(max(1, len(text) - length + 1))
    return max(table_lcs(reference, text[b : b + length]) for b in begins) / len(reference)


class MinHashTest(unittest.TestCase):
    def setUp(self):
        self.rng = random.Random(SEED)
        print(f"seed {SEED}")

    def text(self, words: int) -> str:
        return " ".join(self.rng.choice(VOCABULARY) for _ in range(words))

    def test_jaccard_is_that_of_word_runs(self):
        for _ in range(50):
            one = self.text(self.rng.randint(1, 60))
            other = variant(one, self.rng.randint(0, 10), self.rng)
            exact = true_jaccard(one, other)
            self.assertAlmostEqual(jaccard(shingles(one), shingles(other)), exact)

    def test_equal_numbers_estimate_jaccard(self):
        hasher = MinHasher(512)
        for changes in (0, 2, 5, 10, 30):
            one = self.text(120)
            other = variant(one, changes, self.rng)
            pair = [hasher.signature(shingles(text)) for text in (one, other)]
            estimate = sum(a == b for a, b in zip(*pair)) / 512
            exact = true_jaccard(one, other)
            self.assertLess(abs(estimate - exact), 5 * math.sqrt(0.25 / 512))

    def test_drops_what_brute_force_drops(self):
        texts = []
        for _ in range(40):
            original = self.text(self.rng.randint(20, 120))
            copies = [variant(original, self.rng.choice((0, 1, 2, 8)), self.rng) for _ in range(4)]
            texts += [original, *copies]
        self.rng.shuffle(texts)
        kept = list(without_near_duplicates(texts, threshold=0.7))
        missed = 0
        for place, text in enumerate(texts):
            earlier = [other for other in texts[:place] if other in kept]
            similar = any(true_jaccard(text, other) >= 0.7 for other in earlier)
            if text not in kept:
                self.assertTrue(similar, "dropped without a duplicate")
            elif similar and text not in earlier:
                missed += 1
        self.assertLessEqual(missed, 0.1 * len(texts))
        # Half of the copies or more are dropped in the mean, a quarter in any draw.
        self.assertLess(len(kept), len(texts) - 40)

    def test_the_first_of_equals_stays_whatever_case_and_marks_it_has(self):
        items = [(1, "One two three, four five six."), (2, "one two three four FIVE six"), (3, "")]
        kept = list(without_near_duplicates(items, text_of=lambda item: item[1]))
        self.assertEqual(kept, [items[0], items[2]])
        self.assertEqual(list(without_near_duplicates(["", " "])), [""])
        with self.assertRaisesRegex(ValueError, "threshold"):
            list(without_near_duplicates([], threshold=0))

    def test_bands_miss_few_at_the_threshold(self):
        for threshold in (0.3, 0.5, 0.8, 0.95):
            rows = rows_per_band(threshold, 32)
            missed = [(1 - threshold**r) ** (32 // r) for r in (rows, rows + 1)]
            self.assertLessEqual(missed[0], 0.05)
            self.assertGreater(missed[1], 0.05)


class OverlapTest(unittest.TestCase):
    def setUp(self):
        self.rng = random.Random(SEED)
        print(f"seed {SEED}")

    def test_subsequences_are_those_of_the_table(self):
        for _ in range(200):
            letters = self.rng.randint(1, 12)
            one, other = (
                [self.rng.randrange(letters) for _ in range(self.rng.randint(0, 40))]
                for _ in range(2)
            )
            self.assertEqual(lcs_length(one, other), table_lcs(one, other))

    def test_overlap_is_that_of_the_best_window(self):
        for _ in range(100):
            letters = self.rng.randint(2, 30)
            reference = [self.rng.randrange(letters) for _ in range(self.rng.randint(1, 12))]
            text = [self.rng.randrange(letters) for _ in range(self.rng.randint(0, 60))]
            if self.rng.random() < 0.5:
                at = self.rng.randint(0, len(text))
                text[at:at] = [t for t in reference if self.rng.random() < 0.9]
            expected = table_overlap(reference, text)
            self.assertAlmostEqual(overlap(reference, text), expected)
            for limit in (0.25, 0.5, 0.9):
                self.assertEqual(overlaps(reference, text, limit), expected > limit)

    def test_words_spread_over_more_than_a_window_do_not_count(self):
        reference = list("abcdefghij")
        spread = [letter for one in reference for letter in (one, "-", "-", "-")]
        self.assertEqual(overlap(reference, spread), 0.5)
        self.assertTrue(overlaps(reference, ["-"] * 500 + reference))
        self.assertFalse(overlaps(reference, reference[1:]))  # nine tenths, not more
        self.assertFalse(overlaps([], reference))
        self.assertFalse(overlaps(reference, []))


class RulesTest(unittest.TestCase):
    def test_words(self):
        self.assertEqual(
            words_of("It's 1931: 他生于罗沃关。"), "It s 1931 他 生 于 罗 沃 关".split()
        )

    def test_prose_passes_and_what_breaks_a_rule_is_named(self):
        self.assertIsNone(reason_to_drop(PROSE))
        chinese = "他出生于洛维镇，是一名木匠。他喜欢下棋，也喜欢在河边散步，因为河边很安静。" * 2
        self.assertIsNone(reason_to_drop(chinese))
        rng = random.Random(3)
        unique = " ".join("".join(rng.sample("abcdefgh", 5)) for _ in range(60))
        for text, reason in (
            ("", "too few words"),
            (" ".join(PROSE.split()[:49]), "too few words"),
            (" ".join(f"{word}abcdefgh" for word in PROSE.split()), "words too long"),
            (
                " ".join(f"{word} | - | 12.5 % | +-+-+-+-" for word in PROSE.split()),
                "too few letters",
            ),
            (unique, "too many unique words"),
            ("buy now and pay later " * 30, "too little entropy"),
        ):
            self.assertEqual(reason_to_drop(text), reason, text)

    def test_limits_are_inclusive(self):
        fifty = ("one two three four five six seven eight nine ten " * 5).strip()
        self.assertEqual(len(fifty.split()), 50)
        self.assertIsNone(reason_to_drop(fifty))
        self.assertEqual(reason_to_drop(fifty, RuleLimits(min_words=51)), "too few words")

    def test_entropy_in_bits(self):
        self.assertEqual(unigram_entropy([]), 0)
        self.assertEqual(unigram_entropy(["a"] * 9), 0)
        self.assertAlmostEqual(unigram_entropy(list("abcdefgh")), 3)
        self.assertAlmostEqual(unigram_entropy(list("aab")), math.log2(3) - 2 / 3)


class ProgramTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def clean(self, *arguments):
        return subprocess.run(
            [sys.executable, "-m", "memory3_training.cleaning", *map(str, arguments)],
            cwd=TRAINING,
            capture_output=True,
            text=True,
            check=False,
        )

    def test_keeps_fields_and_counts_reasons(self):
        lines = [
            {"id": 1, "text": PROSE},
            {"id": 2, "text": "short"},
            {"id": 3, "text": PROSE.upper()},
            {"id": 4, "text": PROSE.replace("mill", "house").replace("e", "x"), "title": "T"},
        ]
        source, out = self.folder / "in.jsonl", self.folder / "out.jsonl"
        source.write_text("\n".join(map(json.dumps, lines)), "utf-8")
        result = self.clean("--input", source, "--out", out)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("dropped, too few words: 1\n", result.stdout)
        self.assertIn("dropped, near duplicate: 1\n", result.stdout)
        kept = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
        self.assertEqual(kept, [lines[0], lines[3]])

    def test_texts_with_separators(self):
        source, out = self.folder / "in.txt", self.folder / "out.txt"
        other = PROSE.replace("e", "x")
        source.write_text(f"{PROSE}\n<|endoftext|>\nshort\n<|endoftext|>\n{other}\n<|endoftext|>\n")
        self.assertEqual(self.clean("--input", source, "--out", out).returncode, 0)
        self.assertEqual(out.read_text(), f"{PROSE}\n<|endoftext|>\n{other}\n")

    def test_errors_name_file_and_line(self):
        bad = self.folder / "bad.jsonl"
        bad.write_text('{"text": "x"}\n{"title": "y"}\n')
        for source, message in ((bad, "bad.jsonl:2"), (self.folder / "none.txt", "none.txt")):
            result = self.clean("--input", source, "--out", self.folder / "o.txt")
            self.assertEqual((result.returncode, message in result.stderr), (2, True), result)
        result = self.clean("--input", bad, "--out", self.folder / "o.csv")
        self.assertEqual((result.returncode, "o.csv" in result.stderr), (2, True), result)


if __name__ == "__main__":
    unittest.main()
