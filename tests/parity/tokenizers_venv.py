"""A virtual environment with Hugging Face's `tokenizers`, for tests that compare with it."""

import os
import pathlib
import subprocess
import sys

PACKAGE = "tokenizers==0.23.3"
SKIPPED = 77  # the exit status that ctest takes for skipped


def enter_venv(work: pathlib.Path) -> None:
    """Runs this program again in an environment under `work`; skips it when none can be made."""
    if os.environ.get("M3_TOKENIZER_VENV"):
        return
    venv = work / "tokenizers-venv"
    python = venv / "bin" / "python"
    try:
        if not python.exists():
            subprocess.run(
                [sys.executable, "-m", "venv", str(venv)], check=True, capture_output=True
            )
        probe = subprocess.run([str(python), "-I", "-c", "import tokenizers"], capture_output=True)
        if probe.returncode != 0:
            # Its dependencies serve downloads only.
            install = ["install", "-q", "--no-deps", "--timeout", "10", "--retries", "1", PACKAGE]
            subprocess.run(
                [str(python), "-m", "pip", *install], check=True, capture_output=True, timeout=60
            )
    except (subprocess.SubprocessError, OSError) as error:
        print(f"skipped: cannot install {PACKAGE}: {error}")
        sys.exit(SKIPPED)
    environment = dict(os.environ, M3_TOKENIZER_VENV="1", RUST_BACKTRACE="0")
    os.execve(str(python), [str(python)] + sys.argv, environment)
