"""Command-line flags that say which world."""

import argparse
import dataclasses

from memory3_training.world.generate import Counts, World


def add_world_arguments(parser: argparse.ArgumentParser) -> None:
    """--seed and a flag per field of Counts."""
    parser.add_argument("--seed", type=int, default=1, help="of the world (default 1)")
    for field in dataclasses.fields(Counts):
        what = "share of each kind" if field.type is float else "how many"
        parser.add_argument(
            f"--{field.name}",
            type=field.type,
            default=field.default,
            help=f"{what} (default {field.default})",
        )


def world_from(arguments: argparse.Namespace) -> World:
    names = [field.name for field in dataclasses.fields(Counts)]
    return World.generate(
        arguments.seed, Counts(**{name: getattr(arguments, name) for name in names})
    )
