#!/usr/bin/env python3
"""Tests of what gpu-check makes of its programs' tables, and of the neighbour's script without a GPU."""

import importlib.util
import pathlib
import subprocess
import sys
import tempfile
import types
import unittest

BENCH = pathlib.Path(__file__).resolve().parents[3] / "bench"

REPORT = """# The CUDA engine on a GPU

| check | result | s |
| ----- | ------ | -: |
| parity a | PASS | 2 |

## Decoding

- machine's ceiling, the better of before and after: 4000.0 GB/s read, 800000 GFLOP/s in bf16

| batch | output tok/s | prompt tok/s | decode tok/s | roofline % | bf16 peak % | same tokens |
| ----: | -----------: | -----------: | -----------: | ---------: | ----------: | ----------- |
|     1 |        500.0 |            – |        620.5 |       74.9 |           – | –           |
|    32 |       9000.0 |            – |      12000.0 |       60.0 |        41.0 | 1 of 1      |
|    64 |      15000.0 |            – |      21000.0 |       50.0 |        41.0 | 31 of 32    |

## Decoding through the library

| batch | decode tok/s |
| ----: | -----------: |
|    64 |      25200.0 |

## Decoding, batch-invariant

| batch | decode tok/s | same tokens |
| ----: | -----------: | ----------- |
|    32 |      11400.0 | 1 of 1      |

## A prompt of 2048 tokens

| batch | prompt tok/s | bf16 peak % |
| ----: | -----------: | ----------: |
|     1 |      80000.0 |        55.5 |

## Explicit memory, every memory cold

| batch | setting   | lead | output tok/s | ÷ no memory |
| ----: | --------- | ---: | -----------: | ----------: |
|    32 | no memory |    – |       9000.0 |       1.000 |
|    32 | memory    |    8 |       8820.0 |       0.980 |

## Building a bank

out: 4000 references of 800 documents
encoding: 4000 references in 4.00 s, 1000.0 references/s

## transformers

| batch | setting | output tok/s | tokens |
| ----: | ------- | -----------: | -----: |
| 1 | padded batch | 40.0 | 128 |
| 64 | continuous batching | 1500.0 | 8192 |
"""


def load(name):
    spec = importlib.util.spec_from_file_location(name, BENCH / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    spec.loader.exec_module(module)
    return module


class GpuFiguresTest(unittest.TestCase):
    def rows(self, text):
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder) / "report.md"
            report.write_text(text, encoding="utf-8")
            done = subprocess.run([sys.executable, str(BENCH / "gpu_figures.py"), str(report)], capture_output=True,
                                  text=True, check=True)
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines()]
        return {row[0]: row[1:] for row in cells[2:]}

    def test_every_figure_is_found(self):
        rows = self.rows(REPORT)
        self.assertEqual(rows["memory bandwidth, GB/s"][0], "4000.0")
        self.assertEqual(rows["bf16 matrix rate, TFLOP/s"][0], "800.0")
        self.assertEqual(rows["batch 1 decode, share of bandwidth"], ["74.9 %", "≥ 75.0 %", "NO"])
        self.assertEqual(rows["batch 32 decode, tokens/s"][0], "12000.0")
        self.assertEqual(rows["batch 64 decode, cuBLASLt's products ÷ ours"][0], "1.200")
        self.assertEqual(rows["batch 32 decode, batch-invariant ÷ not"][0], "0.950")
        self.assertEqual(rows["batch 32, batch-invariant: answers as in smaller batches"][0], "1 of 1")
        self.assertEqual(rows["prefill of 2048 tokens, share of matrix rate"], ["55.5 %", "≥ 50.0 %", "yes"])
        self.assertEqual(rows["batch 32, lead 8: with memory ÷ without"], ["0.980", "≥ 0.970", "yes"])
        self.assertEqual(rows["bank build, references/s"][0], "1000.0")
        self.assertEqual(rows["bank build, tokens/s ÷ prefill's"][0], "1.60")
        self.assertEqual(rows["batch 64, output tok/s ÷ transformers' continuous batching"][0], "10.00")
        self.assertEqual(rows["batch 1, output tok/s ÷ transformers' padded batch"][0], "12.50")
        self.assertEqual(rows["batch 1, output tok/s ÷ transformers' continuous batching"][0], "not measured")

    def test_what_is_missing_is_not_measured(self):
        rows = self.rows("# Nothing\n")
        self.assertEqual(rows["batch 1 decode, share of bandwidth"], ["not measured", "≥ 75.0 %", ""])
        self.assertTrue(all(row[0] == "not measured" for row in rows.values()))


class TransformersGenerationTest(unittest.TestCase):
    def test_the_best_run_counts_and_the_first_only_warms_up(self):
        generation = load("transformers_generation")
        times = iter([0.0, 2.0, 10.0, 11.0])
        runs = []

        def run():
            runs.append(None)
            return 100

        self.assertEqual(generation.best_rate(run, 2, clock=lambda: next(times)), (100.0, 100))
        self.assertEqual(len(runs), 3)
        prompts = generation.random_prompts(1, 3, 5, 7)
        self.assertEqual([len(prompt) for prompt in prompts], [5, 5, 5])
        self.assertEqual(prompts, generation.random_prompts(1, 3, 5, 7))
        self.assertIn("| 64 | padded batch | – | 0 |", generation.markdown([(64, "padded batch", None, 0)]))

    def test_every_row_begins_anew(self):
        generation = load("transformers_generation")
        calls = []

        class Subject:
            model = types.SimpleNamespace(config=types.SimpleNamespace(vocab_size=100))

            def begin_row(self):
                calls.append("begin")

            def padded(self, prompts):
                calls.append(len(prompts))
                return len(prompts)

            continuous = padded

        options = generation.parse_arguments(["--model_dir", "m", "--batch", "1,2", "--repeat", "1"])
        rows = generation.measure(Subject(), options)
        self.assertEqual(calls, ["begin", 1, 1, "begin", 2, 2] * 2)
        self.assertEqual([row[:2] for row in rows], [(1, "padded batch"), (2, "padded batch"),
                                                     (1, "continuous batching"), (2, "continuous batching")])

    def test_it_says_why_it_does_not_measure(self):
        command = [sys.executable, str(BENCH / "transformers_generation.py"), "--model_dir", "nowhere"]
        wrong = subprocess.run([*command, "--batch", "many"], capture_output=True, text=True, check=False)
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("--batch", wrong.stderr)
        # A Python that sees the standard library alone has neither torch nor transformers.
        done = subprocess.run([command[0], "-I", "-S", *command[1:]], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 3)
        self.assertIn("not measured", done.stdout)


if __name__ == "__main__":
    unittest.main()
