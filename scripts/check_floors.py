#!/usr/bin/env python3
"""Checks that every file includes only what its folder may know (docs/architecture.md).

Reads the #include lines of our C++ files. The table below is the rule; an error names file, line and what was broken.

usage: check_floors.py [ROOT]
"""

import pathlib
import re
import sys

SUFFIXES = {".h", ".cc", ".cu", ".cuh"}
INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]')

# Folders of our own code -> the folders (or single files) each may include, besides itself. The longest match decides,
# so that a file may stand on another floor than its folder.
BASE = {"engine/base/"}
TEXT = BASE | {"engine/text/"}
MODEL = BASE | {"engine/model/"}
RUNNER = TEXT | MODEL | {"engine/runner/", "engine/memory/bank/record_size.h"}
SAMPLING = RUNNER | {"engine/sampling/"}
# Banks on disk know shapes and nothing of devices: the retrieval sidecar reads them too.
BANK = MODEL | {"engine/memory/bank/", "engine/memory/bank/record_size.h", "engine/memory/memory_id.h"}
MEMORY = RUNNER | BANK | {"engine/memory/", "engine/memory/memory_tier.h"}
# What a caller asks of the engine and gets back: plain data above the runner floor, below the scheduler.
GENERATION = {"engine/generation.h", "engine/memory/memory_id.h", "engine/memory/memory_tier.h"}
SCHEDULER = SAMPLING | MEMORY | GENERATION | {"engine/sched/"}
# What programs outside the engine may see of it.
PUBLIC_ENGINE = MEMORY | {"engine/engine.h", "engine/generation.h", "engine/sampling/sampler.h",
                          "engine/device_runner.h", "engine/cpu/matmul.h", "engine/cuda/device.h",
                          "engine/cuda/device_ceiling.h"}
ALLOWED = {
    "engine/base/": BASE,
    "engine/text/": TEXT,
    "engine/model/": MODEL,
    "engine/runner/": RUNNER,
    "engine/sampling/": SAMPLING,
    "engine/generation.h": RUNNER | GENERATION,
    "engine/generation.cc": RUNNER | GENERATION,
    "engine/generation_stream.cc": RUNNER | GENERATION,
    # The only place that knows of both kinds of runners.
    "engine/device_runner.h": RUNNER,
    "engine/device_runner.cc": RUNNER | {"engine/device_runner.h", "engine/cpu/cpu_runner.h",
                                         "engine/cuda/cuda_runner.h"},
    "engine/cpu/": SAMPLING | {"engine/cpu/"},
    "engine/cuda/": SAMPLING | {"engine/cuda/"},
    "engine/memory/bank/": BANK,
    "engine/memory/bank/record_size.h": MODEL,
    "engine/memory/memory_id.h": BASE,
    "engine/memory/memory_tier.h": BASE,
    "engine/memory/": MEMORY,
    "engine/sched/": SCHEDULER,
    "engine/": SCHEDULER | {"engine/"},
    # What the servers share.
    "common/": BASE | {"engine/text/utf8.h", "common/", "proto/"},
    "retrieval/": TEXT | BANK | {"engine/cpu/matmul.h", "common/", "retrieval/", "proto/"},
    "server/": PUBLIC_ENGINE | {"common/", "server/", "proto/"},
    # memory3-bank writes the index with the sidecar's own library.
    "tools/": PUBLIC_ENGINE | {"retrieval/embed/", "retrieval/index/", "tools/", "proto/"},
    "tests/": {""},
    "bench/": {""},
}

# Libraries that only some folders may use: prefix of the included path -> folders.
CUDA_FOLDERS = {"engine/cuda/", "tests/", "bench/"}
GRPC_FOLDERS = {"common/", "server/", "retrieval/", "tools/", "tests/", "bench/"}
LIBRARIES = {
    "grpc/": GRPC_FOLDERS,
    "grpcpp/": GRPC_FOLDERS,
    "google/": GRPC_FOLDERS,
    "memory3/v": GRPC_FOLDERS,  # generated from proto/
    "prometheus/": {"server/", "retrieval/", "tests/", "bench/"},
    "hnswlib/": {"retrieval/", "tests/", "bench/"},
    "cuda": CUDA_FOLDERS,
    "cublas": CUDA_FOLDERS,
    "nvml": CUDA_FOLDERS,
}


def longest_match(path, prefixes):
    return max((prefix for prefix in prefixes if path.startswith(prefix)), key=len, default=None)


def complaint(path, included):
    """Why `path` may not include `included`, or None. Both are relative to the repository root."""
    folder = longest_match(path, ALLOWED)
    if folder is None:
        return "is in no folder of the table in scripts/check_floors.py"
    library = longest_match(included, LIBRARIES)
    if library is not None and longest_match(path, LIBRARIES[library]) is None:
        return f"includes <{included}>, which only {', '.join(sorted(LIBRARIES[library]))} may"
    target = longest_match(included, ALLOWED)
    if target is None:
        return None
    allowed = ALLOWED[folder]
    # A file that stands on a floor of its own is reached by name only, not through its folder.
    if any(included == entry or (included.startswith(entry) and len(entry) >= len(target)) for entry in allowed) \
            or "" in allowed:
        return None
    if included.startswith("engine/") and folder in ("server/", "tools/"):
        return f"includes {included}, which is not a public header of the engine"
    return f"includes {included}, which {folder} may not know"


def errors_in(root):
    for folder in sorted({prefix.split("/")[0] for prefix in ALLOWED}):
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in SUFFIXES:
                continue
            path = file.relative_to(root).as_posix()
            lines = file.read_text(encoding="utf-8").splitlines()
            for number, line in enumerate(lines, start=1):
                match = INCLUDE.match(line)
                reason = complaint(path, match.group(1)) if match else None
                if reason:
                    yield f"{path}:{number}: {reason}"


def main(arguments):
    root = pathlib.Path(arguments[0]) if arguments else pathlib.Path(__file__).resolve().parent.parent
    errors = list(errors_in(root))
    for error in errors:
        print(error, file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
