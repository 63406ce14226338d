"""Writes a world as files: the bank's encyclopaedia, and questions to measure with.

python3 -m memory3_training.world --seed 1 --out DIR
"""

import argparse
import sys
from pathlib import Path

from memory3_training.world import files
from memory3_training.world.arguments import add_world_arguments, world_from


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="memory3_training.world",
        description="Writes an invented world as files.",
        epilog=files.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_world_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder, made if it is not there")
    arguments = parser.parse_args()
    try:
        written = files.write_world(world_from(arguments), arguments.out)
    except (ValueError, OSError) as error:
        print(f"memory3_training.world: {error}", file=sys.stderr)
        return 2
    for file, lines in written.items():
        print(f"{file}: {lines} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
