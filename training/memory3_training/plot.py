"""Draws the logs of runs: loss and accuracy over tokens of context.

    python3 -m memory3_training.plot RUN [RUN ...] --out curves.png

A run is a folder of memory3_training.train; several are drawn over each other.
"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

_STAGES = ("warm_up", "continual", "annealing")
_FIGURES = {"d": "article in context", "1": "right memory", "a": "right memory of five",
            "b": "no memory", "c": "says it does not know"}


def read_run(folder: Path) -> list[dict]:
    """All entries of its stages, tokens counted through."""
    entries: list[dict] = []
    for stage in _STAGES:
        file = folder / stage / "log.jsonl"
        before = entries[-1]["tokens"] if entries else 0
        if file.exists():
            lines = map(json.loads, file.read_text().splitlines())
            entries += [{**entry, "tokens": entry["tokens"] + before} for entry in lines]
    return entries


def draw(runs: list[Path], out: Path) -> None:
    figure, (losses, hits) = pyplot.subplots(1, 2, figsize=(14, 4.5))
    for run, style in zip(runs, ("-", "--", ":", "-.") * len(runs)):
        entries = read_run(run)
        losses.plot([e["tokens"] / 1e6 for e in entries], [e["loss"] for e in entries], style,
                    label=run.name, linewidth=1)
        for number, (key, name) in enumerate(_FIGURES.items()):
            points = [(e["tokens"] / 1e6, e[key]) for e in entries if key in e]
            if points:
                hits.plot(*zip(*points), style, color=f"C{number}", label=f"{run.name}: {name}")
    losses.set_ylabel("weighted loss")
    hits.set_ylabel("share of answers that are right")
    for axes in (losses, hits):
        axes.set_xlabel("million tokens of context")
        axes.grid(alpha=0.3)
    losses.legend(fontsize=7)
    hits.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))  # beside it: curves are everywhere
    figure.tight_layout()
    figure.savefig(out, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(prog="memory3_training.plot", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    draw(arguments.runs, arguments.out)


if __name__ == "__main__":
    main()
