#!/usr/bin/env python3
"""Tests of scripts/check_floors.py on small trees made for the purpose."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[3] / "scripts" / "check_floors.py"


def run(files):
    """Exit status and messages of the check on a tree with these files: path -> included path."""
    with tempfile.TemporaryDirectory() as folder:
        for path, included in files.items():
            file = pathlib.Path(folder) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f'// A file.\n#include "{included}"\n', encoding="utf-8")
        result = subprocess.run([sys.executable, str(SCRIPT), folder], capture_output=True, text=True, check=False)
    return result.returncode, result.stderr


class CheckFloorsTest(unittest.TestCase):
    def assert_refused(self, path, included):
        status, messages = run({path: included})
        self.assertEqual(status, 1, f"{path} may include {included}")
        self.assertIn(f"{path}:2:", messages)

    def assert_allowed(self, path, included):
        self.assertEqual(run({path: included}), (0, ""))

    def test_lower_floors_are_allowed(self):
        self.assert_allowed("engine/text/a.cc", "engine/base/check.h")
        self.assert_allowed("engine/cpu/a.cc", "engine/sampling/sampler.h")
        self.assert_allowed("engine/sched/a.h", "engine/runner/runner.h")
        self.assert_allowed("engine/engine.cc", "engine/sched/scheduler.h")
        self.assert_allowed("engine/model/a.cc", "engine/model/b.h")

    def test_higher_and_neighbouring_floors_are_refused(self):
        self.assert_refused("engine/base/a.h", "engine/text/utf8.h")
        self.assert_refused("engine/text/a.cc", "engine/model/weights.h")
        self.assert_refused("engine/runner/a.h", "engine/cpu/cpu_runner.h")
        self.assert_refused("engine/sched/a.cc", "engine/cpu/cpu_runner.h")
        self.assert_refused("engine/sched/a.cc", "engine/engine.h")
        self.assert_refused("engine/engine.cc", "engine/cpu/cpu_runner.h")
        self.assert_refused("engine/engine.cc", "engine/device_runner.h")
        self.assert_allowed("engine/device_runner.cc", "engine/cuda/cuda_runner.h")

    def test_plain_data_of_the_engine_is_below_the_scheduler(self):
        self.assert_allowed("engine/sched/a.h", "engine/generation.h")
        self.assert_allowed("engine/engine.h", "engine/generation.h")
        self.assert_refused("engine/generation.h", "engine/sched/scheduler.h")
        self.assert_refused("engine/cpu/a.cc", "engine/generation.h")

    def test_the_engine_knows_no_front(self):
        self.assert_refused("engine/engine.cc", "grpcpp/grpcpp.h")
        self.assert_refused("engine/sched/a.cc", "memory3/v1/chat.pb.h")
        self.assert_refused("engine/engine.cc", "prometheus/counter.h")
        self.assert_refused("engine/engine.cc", "server/flags.h")

    def test_programs_see_public_headers_only(self):
        for folder in ("server", "tools"):
            self.assert_allowed(f"{folder}/a.cc", "engine/engine.h")
            self.assert_allowed(f"{folder}/a.cc", "engine/device_runner.h")
            self.assert_refused(f"{folder}/a.cc", "engine/cpu/cpu_runner.h")
            self.assert_allowed(f"{folder}/a.cc", "memory3/v1/chat.grpc.pb.h")
            self.assert_refused(f"{folder}/a.cc", "engine/sched/scheduler.h")
            self.assert_refused(f"{folder}/a.cc", "engine/cpu/attention.h")
            self.assert_refused(f"{folder}/a.cc", "cuda_runtime.h")
        self.assert_refused("server/a.cc", "tools/table.h")
        self.assert_refused("tools/a.cc", "server/flags.h")

    def test_tests_and_benches_may_include_all(self):
        for folder in ("tests", "bench"):
            self.assert_allowed(f"{folder}/a.cc", "engine/sched/scheduler.h")
            self.assert_allowed(f"{folder}/a.cc", "server/flags.h")


if __name__ == "__main__":
    unittest.main()
