#!/usr/bin/env python3
"""What all programs have in common: help that a stranger can work from, one meaning of exit statuses, and, in a build
for the CPU, no CUDA library.

usage: programs_test.py CPU_ONLY PROGRAM...
CPU_ONLY is 1 where the build has no CUDA.
"""

import pathlib
import re
import subprocess
import sys
import unittest

CPU_ONLY = sys.argv[1] == "1"
PROGRAMS = [pathlib.Path(argument) for argument in sys.argv[2:]]
PATIENCE_S = 60
WIDTH = 120
CUDA_LIBRARY = re.compile(r"lib(cuda|cudart|cublas|cublasLt|nvrtc|nvidia)[.\-]")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, stdin=subprocess.DEVNULL,
                          check=False)


class ProgramsTest(unittest.TestCase):
    def each(self):
        for program in PROGRAMS:
            with self.subTest(program=program.name):
                yield program

    def test_help_tells_a_stranger_what_to_do(self):
        for program in self.each():
            for flag in ("--help", "-h"):
                page = run(program, flag)
                self.assertEqual((page.returncode, page.stderr), (0, ""))
                self.assertRegex(page.stdout, rf"^(usage: )?{program.name} ")
                self.assertLessEqual(max(map(len, page.stdout.splitlines())), WIDTH)
                usage, flags = page.stdout.split("\nFlags:\n")
                # A whole command to copy: indented, with the program's name.
                self.assertRegex(usage, rf"(?m)^ +{program.name} \S")
                # Each flag with a text of its own.
                names = re.findall(r"(?m)^  --(\w+)", flags)
                self.assertEqual(len(names), len(set(names)))
                self.assertIn("flagfile", names)
                texts = re.split(r"(?m)^  --.*\n", flags)[1:]
                self.assertEqual(len(texts), len(names))
                for name, text in zip(names, texts):
                    self.assertGreater(len(text.split()), 1, name)
                # What the usage speaks of exists.
                for name in re.findall(r"(?<![\w-])--(\w+)", usage):
                    self.assertIn(name, [*names, "help"])

    def test_wrong_flags_are_named_with_status_2(self):
        for program in self.each():
            for flag in ("--no_such_flag", "--flagfile=/no/such/file"):
                refused = run(program, flag)
                self.assertEqual((refused.returncode, refused.stdout), (2, ""), refused.stderr)
                self.assertIn(flag.split("=")[-1].strip("-"), refused.stderr)

    @unittest.skipUnless(CPU_ONLY, "this build has CUDA")
    def test_a_build_for_the_cpu_links_no_cuda_library(self):
        for program in self.each():
            libraries = run("ldd", program)
            self.assertEqual(libraries.returncode, 0, libraries.stderr)
            self.assertNotRegex(libraries.stdout, CUDA_LIBRARY)
            self.assertIn("libc.so", libraries.stdout)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
