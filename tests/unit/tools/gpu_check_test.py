#!/usr/bin/env python3
"""Tests of the half of scripts/gpu-check that runs on a GPU machine, with programs that only pretend."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]

TESTS = """#!/bin/sh
case "$1" in
  --gtest_list_tests) printf 'Alpha.\\n  One\\n  Two\\nKinds/Beta.\\n  One/0  # GetParam() = 1\\n' ;;
  --gtest_filter=Alpha.*) exit 0 ;;
  *) echo "beta is broken"; exit 1 ;;
esac
"""
BENCH = """#!/bin/sh
echo "- machine's ceiling, the better of before and after: 4000.0 GB/s read, 800000 GFLOP/s in bf16"
echo
echo '| batch | decode tok/s | roofline % | bf16 peak % | prompt tok/s | same tokens |'
echo '| ----: | -----------: | ---------: | ----------: | -----------: | ----------- |'
echo '|     1 |        600.0 |       80.0 |        60.0 |      90000.0 | – |'
"""
SYNTH = """#!/bin/sh
for word; do case "$word" in --out=*) mkdir -p "${word#--out=}"; : >"${word#--out=}/config.json" ;; esac; done
"""
# Runs until it is told to stop; answers everything but what is about the moon.
SERVICE = "#!/bin/sh\ntrap 'exit 0' TERM\nwhile :; do sleep 0.05; done\n"
CHAT = """#!/bin/sh
case "$*" in *moon*) echo I do not know ;; *end*) exit 1 ;; *) echo "The answer is blue." ;; esac
"""
PROGRAMS = {"memory3-cuda-info": "#!/bin/sh\necho a device\n", "memory3-parity": "#!/bin/sh\nexit 0\n",
            "memory3-bank": "#!/bin/sh\necho 'encoding: 10 references in 1.00 s, 10.0 references/s'\n",
            "memory3-retrieval": SERVICE, "memory3-server": SERVICE, "memory3-chat": CHAT,
            "memory3-synth": SYNTH, "memory3-bench": BENCH, "cuda_device_tests": TESTS}


class GpuCheckTest(unittest.TestCase):
    def setUp(self):
        self.holder = tempfile.TemporaryDirectory()
        self.addCleanup(self.holder.cleanup)
        self.folder = pathlib.Path(self.holder.name)
        (self.folder / "bin").mkdir()
        (self.folder / "golden").mkdir()
        for name in ("stories260k-default", "tinystories656k-default"):
            (self.folder / "golden" / f"{name}.json").write_text("{}", encoding="utf-8")
        for name, text in PROGRAMS.items():
            self.write(f"bin/{name}", text)
        shutil.copy(ROOT / "scripts" / "gpu-check", self.folder)
        shutil.copy(ROOT / "bench" / "gpu_figures.py", self.folder)
        self.write("transformers_generation.py", "print('| batch | setting | output tok/s | tokens |')\n")

    def write(self, name, text):
        file = self.folder / name
        file.write_text(text, encoding="utf-8")
        file.chmod(0o755)

    def run_check(self, *arguments):
        done = subprocess.run([str(self.folder / "gpu-check"), "run", *arguments], capture_output=True, text=True,
                              check=False, env={"PATH": os.environ["PATH"], "CUDA_LIBRARIES": "nowhere"})
        report = self.folder / "gpu.md"
        return done, report.read_text(encoding="utf-8") if report.exists() else ""

    def test_a_check_that_fails_is_a_row_and_the_exit_status(self):
        done, report = self.run_check("--only", "kernels")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("| tests Alpha | PASS |", report)
        self.assertIn("| tests Kinds/Beta | FAIL |", report)
        self.assertIn("beta is broken", done.stdout)
        self.assertNotIn("parity", report)

    def test_every_golden_case_runs_in_both_types(self):
        done, report = self.run_check("--only", "parity")
        self.assertEqual(done.returncode, 0, done.stderr)
        for row in ("parity stories260k-default f32 invariant=false", "parity stories260k-default bf16 invariant=false",
                    "parity tinystories656k-default f32 invariant=true",
                    "parity tinystories656k-default bf16 invariant=false"):
            self.assertIn(f"| {row} | PASS |", report)
        self.assertNotIn("parity stories260k-default f32 invariant=true", report)

    def test_the_first_case_that_fails_is_tried_without_each_suspect(self):
        self.write("bin/memory3-parity", "#!/bin/sh\ncase \"$*\" in *--overlap=false*) exit 0 ;; *) exit 1 ;; esac\n")
        done, report = self.run_check("--only", "parity")
        self.assertEqual(done.returncode, 1)
        first = "parity stories260k-default f32 invariant=false"
        for suspect, result in (("--graphs=false", "FAIL"), ("--overlap=false", "PASS"), ("--skinny_rows=0", "FAIL")):
            self.assertIn(f"| {first} {suspect} | {result} |", report)
        self.assertEqual(report.count("--overlap=false"), 1)

    def ask(self, questions):
        (self.folder / "questions.txt").write_text("".join(f"{one}\tblue\n" for one in questions), encoding="utf-8")
        return self.run_check("--only", "serve")

    def test_the_service_answers_nine_of_ten_questions(self):
        done, report = self.ask(["And the moon?"] + ["What colour is the sky?"] * 9)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("| the service: 9 of 10 questions answered right | PASS |", report)
        done, report = self.ask(["And the moon?"] * 2 + ["What colour is the sky?"] * 8)
        self.assertEqual(done.returncode, 1)
        self.assertIn("| the service: 8 of 10 questions answered right | FAIL |", report)

    def test_questions_after_the_service_is_gone_are_not_answered(self):
        done, report = self.ask(["What colour is the sky?"] * 10 + ["And in the end?"] + ["What colour is the sea?"] * 9)
        self.assertEqual(done.returncode, 1)
        self.assertIn("| the service: 10 of 20 questions answered right | FAIL |", report)

    def test_a_bank_that_cannot_be_built_is_a_row(self):
        self.write("bin/memory3-bank", "#!/bin/sh\nexit 1\n")
        done, report = self.ask(["What colour is the sky?"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("| the service: its bank | FAIL |", report)

    def test_measurements_end_in_one_table_of_figures(self):
        done, report = self.run_check("--only", "bench,peer")
        self.assertEqual(done.returncode, 0, done.stderr)
        for title in ("Decoding", "Decoding, batch-invariant", "A prompt of 2048 tokens",
                      "Explicit memory, every memory cold", "Building a bank", "transformers", "Figures"):
            self.assertIn(f"\n## {title}\n", report)
        self.assertIn("| batch 1 decode, share of bandwidth | 80.0 % | ≥ 75.0 % | yes |", report)
        self.assertIn("| bank build, references/s | 10.0 |", report)

    def test_a_benchmark_that_fails_does_not_end_the_run(self):
        self.write("bin/memory3-bench", "#!/bin/sh\necho no memory >&2\nexit 1\n")
        done, report = self.run_check("--only", "bench")
        self.assertEqual(done.returncode, 1)
        self.assertIn("FAILED: no memory", report)
        self.assertIn("\n## Building a bank\n", report)

    def test_parts_that_do_not_exist_are_refused(self):
        done, _ = self.run_check("--only", "kernels,everything")
        self.assertEqual(done.returncode, 2)
        self.assertIn("everything", done.stderr)


if __name__ == "__main__":
    unittest.main()
