#!/usr/bin/env python3
"""Sets the engine's memory readers beside fio: same file, block size and depth, in turns.

Every round runs each subject once, so that a noisy disk disturbs all alike; the table gives medians of the rounds.
Writes a Markdown table to standard output and, with --svg, a plot.

usage: memory_reader_bench.py --bench build/release/bin/memory_reader_bench --folder DIR [--rounds 5] [--svg F]
"""

import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

RECORD_BYTES = 450560  # one memory of the published model
CHUNK = 1 << 24
COLUMNS = ("gb_per_s", "p50_us", "p99_us", "cpu_share")
COLOURS = {"fio io_uring": "#9ecae1", "io_uring": "#08519c", "fio psync": "#fdae6b", "pread": "#a63603"}


def write_random_file(path, gib):
    with open(path, "wb") as file:
        for _ in range(gib * (1 << 30) // CHUNK):
            file.write(os.urandom(CHUNK))
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")
    return json.loads(done.stdout[done.stdout.index("{"):])


def run_reader(options, reader, depth):
    return run([options.bench, f"--file={options.file}", f"--reader={reader}", f"--depth={depth}",
                f"--record_bytes={RECORD_BYTES}", f"--seconds={options.seconds}"])


def fio_command(options, engine, depth):
    """io_uring: one job of that depth with fixed buffers; psync: that many threads, as the reader has."""
    command = ["fio", "--name=read", f"--filename={options.file}", "--readonly", "--rw=randread",
               f"--bs={RECORD_BYTES}", "--direct=1", "--norandommap", "--randrepeat=0", "--time_based",
               f"--runtime={options.seconds}", f"--ioengine={engine}", "--thread", "--group_reporting",
               "--output-format=json"]
    if engine == "io_uring":
        return command + [f"--iodepth={depth}", "--fixedbufs=1", "--numjobs=1"]
    return command + [f"--numjobs={depth}"]


def run_fio(options, engine, depth):
    job = run(fio_command(options, engine, depth))["jobs"][0]
    read, percentiles = job["read"], job["read"]["clat_ns"]["percentile"]
    # fio gives the share of one thread's time; the threads of a group share it.
    threads = 1 if engine == "io_uring" else depth
    return {"gb_per_s": read["bw_bytes"] * 1e-9, "p50_us": percentiles["50.000000"] / 1e3,
            "p99_us": percentiles["99.000000"] / 1e3, "cpu_share": (job["usr_cpu"] + job["sys_cpu"]) / 100 * threads}


SUBJECTS = {
    "fio io_uring": lambda options, depth: run_fio(options, "io_uring", depth),
    "io_uring": lambda options, depth: run_reader(options, "io_uring", depth),
    "fio psync": lambda options, depth: run_fio(options, "psync", depth),
    "pread": lambda options, depth: run_reader(options, "pread", depth),
}
PEER = {"io_uring": "fio io_uring", "pread": "fio psync"}


def measure(options):
    """{(subject, depth): [one result per round]}"""
    results = {}
    for number in range(options.rounds):
        for depth in options.depths:
            for name in random.sample(list(SUBJECTS), len(SUBJECTS)):  # nobody always follows the same one
                results.setdefault((name, depth), []).append(SUBJECTS[name](options, depth))
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
    return results


def median(results, name, depth, column):
    return statistics.median(result[column] for result in results[name, depth])


def share_of_peer(results, name, depth):
    """Median of the rounds' own shares: both of one round met about the same disk."""
    ours, theirs = results[name, depth], results[PEER[name], depth]
    return statistics.median(a["gb_per_s"] / b["gb_per_s"] for a, b in zip(ours, theirs))


def table(results, depths):
    yield "| reader | depth | GB/s | p50 µs | p99 µs | CPU, share of a core | share of fio's GB/s |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for depth in depths:
        for name in SUBJECTS:
            rate, p50, p99, cpu = (median(results, name, depth, column) for column in COLUMNS)
            share = f"{share_of_peer(results, name, depth):.2f}" if name in PEER else ""
            yield f"| {name} | {depth} | {rate:.2f} | {p50:.0f} | {p99:.0f} | {cpu:.1%} | {share} |"


def svg(results, depths):
    width, height, left, bottom, top = 640, 360, 60, 50, 20
    highest = max(median(results, name, depth, "gb_per_s") for name in SUBJECTS for depth in depths) * 1.1
    x = {depth: left + i * (width - left - 150) / max(1, len(depths) - 1) for i, depth in enumerate(depths)}

    def y(rate):
        return height - bottom - rate / highest * (height - bottom - top)

    yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
           'font-size="12">')
    yield f'<rect width="{width}" height="{height}" fill="white"/>'
    for tick in range(5):
        rate = highest * tick / 4
        yield f'<path d="M{left} {y(rate):.0f}H{width - 150}" stroke="#ddd"/>'
        yield f'<text x="{left - 8}" y="{y(rate) + 4:.0f}" text-anchor="end">{rate:.2f}</text>'
    for depth in depths:
        yield f'<text x="{x[depth]:.0f}" y="{height - bottom + 18}" text-anchor="middle">{depth}</text>'
    yield (f'<text x="{left}" y="{height - 10}">reads under way; GB/s, {RECORD_BYTES} bytes at random places, '
           'O_DIRECT</text>')
    for i, name in enumerate(SUBJECTS):
        points = " ".join(f"{x[depth]:.0f},{y(median(results, name, depth, 'gb_per_s')):.0f}" for depth in depths)
        yield f'<polyline points="{points}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>'
        yield f'<rect x="{width - 130}" y="{top + 20 * i}" width="12" height="12" fill="{COLOURS[name]}"/>'
        yield f'<text x="{width - 112}" y="{top + 20 * i + 11}">{name}</text>'
    yield "</svg>"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", required=True, help="the memory_reader_bench program")
    parser.add_argument("--folder", required=True, type=pathlib.Path, help="on the disk to measure; left as it was")
    parser.add_argument("--gib", type=int, default=4, help="size of the file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of each run")
    parser.add_argument("--depths", type=lambda text: [int(d) for d in text.split(",")], default=[1, 2, 4, 8, 16])
    parser.add_argument("--svg", type=pathlib.Path, help="write a plot here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        options.file = pathlib.Path(folder) / "records"
        write_random_file(options.file, options.gib)
        results = measure(options)
        print("fio:", " ".join(fio_command(options, "io_uring", 4)), "\n")
    for line in table(results, options.depths):
        print(line)
    checksum = run([options.bench, "--checksum", "--seconds=1"])["checksum_gb_per_s"]
    print(f"\nchecksum of records in memory: {checksum:.1f} GB per second of one core")
    if options.svg:
        options.svg.write_text("\n".join(svg(results, options.depths)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
