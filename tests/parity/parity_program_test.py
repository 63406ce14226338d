#!/usr/bin/env python3
"""memory3-parity must say no: a check that passes whatever it is given would prove nothing.

usage: parity_program_test.py MEMORY3_PARITY MEMORY3_SYNTH SHARED_DIR
Tests with a case of the reference skip themselves where the shared folder is absent.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

PARITY, SYNTH, SHARED = sys.argv[1:4]
GOLDEN = pathlib.Path(SHARED) / "reference/golden/stories260k-off.json"
MODEL = pathlib.Path(SHARED) / "data/models/stories260K-hf"
PATIENCE_S = 120


class ParityProgramTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def parity(self, case, *flags, model=MODEL):
        if not isinstance(case, str):
            case = json.dumps(case)
        file = self.folder / "case.json"
        file.write_text(case, encoding="utf-8")
        return subprocess.run([PARITY, f"--model_dir={model}", f"--case={file}", *flags], capture_output=True,
                              text=True, timeout=PATIENCE_S, check=False)

    @unittest.skipUnless(GOLDEN.exists(), f"{GOLDEN} is absent")
    def test_differences_beyond_the_tolerance_fail(self):
        golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
        result = self.parity(golden, "--dtype=f32")
        self.assertEqual((result.returncode, "PASS" in result.stdout), (0, True), result)

        row, logits = next(iter(golden["rows"].items()))
        largest = max(abs(logit) for _, logit in logits)
        for share, dtype, status in ((5e-5, "f32", 0), (2e-4, "f32", 1), (1e-2, "bf16", 0), (6e-2, "bf16", 1)):
            changed = json.loads(json.dumps(golden))
            changed["rows"][row][0][1] += share * largest
            result = self.parity(changed, f"--dtype={dtype}")
            self.assertEqual(result.returncode, status, (share, dtype, result))
            self.assertEqual("TOO LARGE" in result.stdout, status == 1, result.stdout)

        golden["greedy_ids"][-1] ^= 1
        result = self.parity(golden, "--dtype=f32")
        self.assertEqual((result.returncode, "the first 129 of 130 equal" in result.stdout), (1, True), result)

    def test_a_wrong_answer_fails_on_any_model(self):
        model = self.folder / "synth"
        subprocess.run([SYNTH, f"--out={model}", "--layers=1"], check=True, timeout=PATIENCE_S)
        wrong = {"memory": {"enabled": False}, "prompt_ids": [1, 2], "rows": {"1": [[5, 1e6]]}, "greedy_ids": [1]}
        result = self.parity(wrong, model=model)
        self.assertEqual((result.returncode, "FAIL" in result.stdout), (1, True), result)

    def test_what_cannot_be_run_is_named(self):
        case = {"memory": {"enabled": False}, "prompt_ids": [1], "rows": {"0": [[5, 1]]}, "greedy_ids": [1]}
        nowhere = self.folder / "nowhere"
        for result, named in ((self.parity(case, model=nowhere), "nowhere/config.json"),
                              (self.parity("no json", model=nowhere), "case.json"),
                              (self.parity(case, "--dtype=int8"), "--dtype"),
                              (self.parity(case, "--backend=tpu"), "--backend"),
                              (self.parity(case, "--case="), "--case"),
                              (self.parity(case, "stray"), "flags only")):
            self.assertEqual((result.returncode, named in result.stderr), (2, True), result)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
