#!/usr/bin/env python3
"""Compares memory3-neighbours with the search of a bank, and checks what training makes of it.

usage: neighbours_program_test.py MEMORY3_NEIGHBOURS MEMORY3_BANK MEMORY3_SYNTH
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "training"))

from memory3_training.neighbours import chunk_queries, nearest
from memory3_training.retrieved import (
    is_left_out,
    read_retrieved,
    retrieve,
    write_retrieved,
)
from memory3_training.world import Counts, World, questions, stream
from memory3_training.world.schema import kind_of

NEIGHBOURS, BANK, SYNTH = sys.argv[1:4]
K = 4
ASKED = 3  # entities of each of two splits
PATIENCE_S = 300
# Above the 4,096 references below which a bank has no search graph.
LARGE = Counts(3300, 400, 400, 400, 300, 100, 100)


def run(*command):
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def read_lines(file):
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


class NeighboursTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, lines):
        file = self.folder / name
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        return file

    def neighbours(self, *flags):
        return run(NEIGHBOURS, *flags)

    def bank_search(self, bank, text):
        """(source ids, scores to four places) of memory3-bank search."""
        result = run(BANK, "search", bank, text, f"--limit={K}")
        self.assertEqual(result.returncode, 0, result.stderr)
        ids = re.findall(r"^source_id: (.*)$", result.stdout, re.MULTILINE)
        scores = re.findall(r"^score: (.*)$", result.stdout, re.MULTILINE)
        return ids, scores

    def check_against_bank(self, counts, seed, *embedder):
        world = World.generate(seed, counts)
        references = self.write(
            "encyclopaedia.jsonl",
            [
                {"id": f"e{entity.id}", "title": entity.name, "text": world.article(entity)}
                for entity in world.bank()
            ],
        )
        asked = world.split("held_out")[:ASKED] + world.split("absent")[:ASKED]
        rng = stream(seed, "asked")
        texts = [f"Question: {questions(entity, rng)[0].text}\nAnswer:" for entity in asked]
        queries = self.write("queries.jsonl", [{"id": i, "text": t} for i, t in enumerate(texts)])
        out = self.folder / "out.jsonl"
        flags = [f"--references={references}", f"--queries={queries}", f"--out={out}", f"--k={K}"]
        flags += embedder
        result = self.neighbours(*flags)
        self.assertEqual(result.returncode, 0, result.stderr)
        model, bank = self.folder / "model", self.folder / "bank"
        shape = ["--hidden=64", "--layers=2", "--heads=4", "--kv_heads=2", "--head_dim=16"]
        synth = run(SYNTH, f"--out={model}", *shape, "--mlp=96", "--vocab=300")
        self.assertEqual(synth.returncode, 0, synth.stderr)
        built = run(
            BANK,
            "build",
            f"--model_dir={model}",
            f"--input={references}",
            f"--out={bank}",
            "--cold",
            *embedder,
            '--memory_config={"reference_tokens": 1024}',
        )
        self.assertEqual(built.returncode, 0, built.stderr)
        for number, (line, text) in enumerate(zip(read_lines(out), texts, strict=True)):
            ids, scores = self.bank_search(bank, text)
            self.assertEqual(line["id"], str(number))
            self.assertEqual(line["ids"], ids, text)
            self.assertEqual([f"{score:.4f}" for score in line["scores"]], scores, text)
        exact = self.folder / "exact.jsonl"
        self.assertEqual(self.neighbours(*flags, f"--out={exact}", "--exact").returncode, 0)
        for line, entity in zip(read_lines(exact), asked):
            if entity.split == "held_out":
                self.assertIn(f"e{entity.id}", line["ids"])
        with_one_thread = self.folder / "one.jsonl"
        again = self.neighbours(*flags, f"--out={with_one_thread}", "--threads=1")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(with_one_thread.read_bytes(), out.read_bytes())

    def test_finds_what_a_small_bank_finds(self):
        self.check_against_bank(Counts(200, 60, 60, 60, 60, 60, 40), 3)

    def test_finds_what_a_bank_with_a_graph_finds(self):
        self.check_against_bank(LARGE, 4, "--embedder_dimensions=128")

    def test_training_names_references_by_their_place(self):
        references = [("Oak", "A tree with acorns."), ("Elm", "A tree."), ("", "Rain falls.")]
        found = nearest(pathlib.Path(NEIGHBOURS), references, ["the oak", "rain", "???"], k=2)
        self.assertEqual([one.reference for one in found[0]][0], 0)
        self.assertEqual([one.reference for one in found[1]][0], 2)
        self.assertEqual(len(found), 3)
        for row in found:
            self.assertLessEqual(len(row), 2)
            self.assertEqual(row, sorted(row, key=lambda one: -one.score))
        with self.assertRaisesRegex(RuntimeError, "--k"):
            nearest(pathlib.Path(NEIGHBOURS), references, ["oak"], k=0)

    def test_questions_are_paired_with_what_is_found(self):
        world = World.generate(6, Counts(300, 60, 60, 60, 60, 60, 40))
        paired = retrieve(world, pathlib.Path(NEIGHBOURS), rounds=2, k=K, left_out=0.2)
        train = {entity.id: entity for entity in world.split("train")}
        searched = {i for i, entity in train.items() if not is_left_out(world, entity, 0.2)}
        self.assertAlmostEqual(len(searched) / len(train), 0.8, delta=0.1)
        self.assertEqual(len(paired), 2 * sum(len(one.attributes) for one in train.values()))
        for one in paired:
            entity = train[one.entity_id]
            self.assertIn(entity.name, one.question)
            self.assertLessEqual(set(one.found), searched)
            known = one.entity_id in one.found
            value = entity.attributes[one.attribute]
            self.assertEqual(one.answer, value if known else kind_of(entity).unknown)
        right = sum(one.entity_id in one.found for one in paired)
        self.assertGreater(right, 0.75 * len(paired))
        file = self.folder / "retrieved.jsonl"
        write_retrieved(file, paired)
        self.assertEqual(list(read_retrieved(file)), paired)

    def test_queries_of_chunks_are_the_engines(self):
        decode = lambda ids: " ".join(map(str, ids))
        self.assertEqual(chunk_queries(range(4), decode, 4), ["0 1 2 3"])
        self.assertEqual(chunk_queries(range(6), decode, 4), ["0 1 2 3", "2 3 4 5"])
        self.assertEqual(chunk_queries(range(3), decode, 4), ["0 1 2"])
        self.assertEqual(chunk_queries([], decode, 4), [])

    def test_what_was_asked_wrongly_is_named(self):
        file = self.write("x.jsonl", [{"text": "one"}])
        bad = self.write("bad.jsonl", [{"title": "no text"}])
        out = self.folder / "out.jsonl"
        ok = {"references": file, "queries": file, "out": out}
        for change, status, message in (
            ({"references": ""}, 2, "--references"),
            ({"queries": ""}, 2, "--queries"),
            ({"out": ""}, 2, "--out"),
            ({"k": 0}, 2, "--k"),
            ({"threads": -1}, 2, "--threads"),
            ({"embedder_dimensions": 1}, 2, "dimensions"),
            ({"queries": bad}, 2, "bad.jsonl:1"),
            ({"references": self.folder / "texts.txt"}, 2, "must end in .jsonl"),
            ({"references": self.folder / "none.jsonl"}, 1, "none.jsonl"),
            ({"out": self.folder / "no" / "out.jsonl"}, 1, "no/out.jsonl"),
        ):
            result = self.neighbours(*(f"--{k}={v}" for k, v in {**ok, **change}.items()))
            self.assertEqual((result.returncode, message in result.stderr), (status, True), result)
        self.assertEqual(self.neighbours("--help").returncode, 0)
        self.assertEqual(self.neighbours("stray").returncode, 2)
        nothing = self.write("nothing.jsonl", [])
        empty = self.neighbours(f"--references={nothing}", f"--queries={file}", f"--out={out}")
        self.assertEqual((empty.returncode, read_lines(out)[0]["ids"]), (0, []), empty)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
