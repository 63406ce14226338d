#!/usr/bin/env python3
"""Reads the report of `gpu-check run` and prints what it must show: one table, measured beside wanted.

Takes the tables that the programs printed, under the titles that gpu-check gave them; a figure whose table is missing
is "not measured".

usage: gpu_figures.py REPORT.md
"""

import pathlib
import re
import sys

REFERENCE_TOKENS = 128  # of the references that gpu-check encodes


def sections(text):
    """Title -> lines."""
    result, title = {}, None
    for line in text.splitlines():
        if line.startswith("## "):
            title = line[3:].strip()
            result[title] = []
        elif title is not None:
            result[title].append(line)
    return result


def table(lines):
    """Rows of the first Markdown table as dictionaries; numbers are floats, "–" is None."""
    cells = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines if line.startswith("|")]
    return [dict(zip(cells[0], map(value, row))) for row in cells[2:]] if len(cells) > 2 else []


def value(cell):
    try:
        return float(cell)
    except ValueError:
        return None if cell == "–" else cell


def pick(rows, column, **wanted):
    """The column's number in the first row that has the wanted cells; None where there is none."""
    for row in rows:
        if all(row.get(name.replace("_", " ")) == cell for name, cell in wanted.items()):
            number = row.get(column)
            return number if isinstance(number, float) else None
    return None


def ratio(a, b):
    return a / b if a is not None and b else None


class Figures:
    def __init__(self):
        self.rows = []

    def add(self, name, measured, digits=1, wanted=None, at_least=None, unit=""):
        shown = "not measured" if measured is None else f"{measured:.{digits}f}{unit}"
        verdict = ""
        if at_least is not None:
            wanted = f"≥ {at_least:.{digits}f}{unit}"
            verdict = "" if measured is None else "yes" if measured >= at_least else "NO"
        self.rows.append((name, shown, wanted or "", verdict))

    def markdown(self):
        lines = ["| figure | measured | wanted | reached |", "| ------ | -------: | -----: | ------- |"]
        return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in self.rows])


def ceiling(lines):
    """(GB/s, GFLOP/s) of the line that every engine bench prints."""
    for line in lines:
        found = re.search(r"ceiling.*?: ([\d.]+) GB/s read, ([\d.]+) GFLOP/s", line)
        if found:
            return float(found[1]), float(found[2])
    return None, None


def references_per_second(lines):
    for line in lines:
        found = re.search(r"encoding: \d+ references in [\d.]+ s, ([\d.]+) references/s", line)
        if found:
            return float(found[1])
    return None


def figures(text):
    parts = sections(text)
    result = Figures()
    decode, invariant = table(parts.get("Decoding", [])), table(parts.get("Decoding, batch-invariant", []))
    bandwidth, flops = ceiling(parts.get("Decoding", []))
    result.add("memory bandwidth, GB/s", bandwidth)
    result.add("bf16 matrix rate, TFLOP/s", None if flops is None else flops / 1e3)
    result.add("batch 1 decode, share of bandwidth", pick(decode, "roofline %", batch=1.0), at_least=75, unit=" %")
    for row in decode:
        if isinstance(row.get("batch"), float):
            result.add(f"batch {row['batch']:.0f} decode, tokens/s", row.get("decode tok/s"))
    for row in table(parts.get("Decoding through the library", [])):
        if isinstance(row.get("batch"), float):
            result.add(f"batch {row['batch']:.0f} decode, cuBLASLt's products ÷ ours",
                       ratio(row.get("decode tok/s"), pick(decode, "decode tok/s", batch=row["batch"])), digits=3)
    for row in invariant:
        if isinstance(row.get("batch"), float):
            name = f"batch {row['batch']:.0f}"
            result.add(f"{name} decode, batch-invariant ÷ not",
                       ratio(row.get("decode tok/s"), pick(decode, "decode tok/s", batch=row["batch"])), digits=3)
            same = row.get("same tokens")
            result.rows.append((f"{name}, batch-invariant: answers as in smaller batches", str(same or "–"), "all", ""))
    prompt = table(parts.get("A prompt of 2048 tokens", []))
    result.add("prefill of 2048 tokens, share of matrix rate", pick(prompt, "bf16 peak %", batch=1.0), at_least=50,
               unit=" %")
    prefill = pick(prompt, "prompt tok/s", batch=1.0)
    result.add("prefill of 2048 tokens, tokens/s", prefill, digits=0)
    for row in table(parts.get("Explicit memory, every memory cold", [])):
        if row.get("setting") == "memory":
            result.add(f"batch {row['batch']:.0f}, lead {row['lead']:.0f}: with memory ÷ without",
                       row.get("÷ no memory"), digits=3, at_least=0.97)
    encoded = references_per_second(parts.get("Building a bank", []))
    result.add("bank build, references/s", encoded)
    result.add("bank build, tokens/s ÷ prefill's", ratio(encoded and encoded * REFERENCE_TOKENS, prefill), digits=2)
    peer = table(parts.get("transformers", []))
    for batch in (1.0, 64.0):
        ours = pick(decode, "output tok/s", batch=batch)
        for setting in ("continuous batching", "padded batch"):
            theirs = pick(peer, "output tok/s", batch=batch, setting=setting)
            result.add(f"batch {batch:.0f}, output tok/s ÷ transformers' {setting}", ratio(ours, theirs), digits=2)
    return result.markdown()


def main(argv):
    if len(argv) != 1 or argv[0].startswith("-"):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    print(figures(pathlib.Path(argv[0]).read_text(encoding="utf-8")))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
