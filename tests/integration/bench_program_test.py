#!/usr/bin/env python3
"""memory3-bench as its users run it: the engine, and a server, on a model of a moment.

usage: bench_program_test.py MEMORY3_BENCH MEMORY3_SERVER MEMORY3_SYNTH
The figures depend on the machine and are not judged; that they are there, and of the right runs, is.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

BENCH, SERVER, SYNTH = sys.argv[1:4]
PATIENCE_S = 240


def bench(*flags):
    return subprocess.run([BENCH, *flags], capture_output=True, text=True, timeout=PATIENCE_S, check=False)


class BenchProgramTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        cls.model = cls.folder / "model"
        subprocess.run([SYNTH, f"--out={cls.model}", "--layers=2"], check=True, timeout=PATIENCE_S)

    def rows(self, *flags):
        done = bench(*flags, "--format=json")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertIn(flags[0], report["command"])
        for row in report["rows"]:
            self.assertEqual(row["errors"], "0")
            for column in ("output tok/s", "TTFT p99 ms", "ITL p50 ms"):
                self.assertGreater(row[column], 0, column)
        return report

    def test_the_engine_beside_the_machines_ceiling(self):
        report = self.rows("engine", f"--model_dir={self.model}", "--batch=1,3", "--prompt=8", "--generate=16",
                           "--threads=1")
        self.assertEqual([row["batch"] for row in report["rows"]], [1, 3])
        # Where requests do not run all together, which a short batch may not, these say nothing.
        for column in ("prompt tok/s", "decode tok/s", "read GB/s", "roofline %", "bf16 peak %"):
            self.assertGreater(report["rows"][0][column], 0, column)

    def test_a_running_server(self):
        port = self.folder / "port"
        command = [SERVER, f"--model_dir={self.model}", "--listen_address=127.0.0.1:0", f"--port_file={port}",
                   "--metrics_address=", "--threads=1"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
            try:
                end = time.monotonic() + PATIENCE_S
                while not port.exists():
                    self.assertLess(time.monotonic(), end)
                    time.sleep(0.02)
                # Answers long enough for several chunks: on a busy machine what waited comes in one.
                report = self.rows("serve", f"--target=127.0.0.1:{port.read_text().strip()}", "--streams=1,4",
                                   "--requests=5", "--prompt=8", "--generate=200", f"--wait_ready={PATIENCE_S}")
                self.assertEqual([(row["streams"], row["requests"], row["finished"]) for row in report["rows"]],
                                 [("1", 5, 5), ("4", 5, 5)])
            finally:
                server.terminate()
            self.assertEqual(server.wait(PATIENCE_S), 0)

    def test_what_was_asked_wrongly_is_named(self):
        for flags, named in (([], "subcommand"),
                             (["engines"], "subcommand"),
                             (["engine"], "--model_dir"),
                             (["engine", f"--model_dir={self.model}", "--batch=0"], "--batch"),
                             (["engine", f"--model_dir={self.model}", "--prompt=0"], "--prompt"),
                             (["engine", f"--model_dir={self.model}", "--streams=3"], "--streams is no flag of engine"),
                             (["engine", f"--model_dir={self.model}", "--dtype=int8"], "--dtype"),
                             (["serve", "--requests=-1"], "--requests"),
                             (["serve", "--format=xml"], "--format")):
            refused = bench(*flags)
            self.assertEqual((refused.returncode, named in refused.stderr), (2, True), (flags, refused))
        away = bench("serve", f"--target=unix:{self.folder}/nobody", "--wait_ready=0.1")
        self.assertEqual(away.returncode, 1, away)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
