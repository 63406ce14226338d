"""Ends a test program with the exit status that ctest takes for skipped, where PyTorch is absent."""

import sys

SKIPPED = 77

try:
    import torch  # noqa: F401
except ImportError:
    print("skipped: PyTorch is not installed")
    sys.exit(SKIPPED)
