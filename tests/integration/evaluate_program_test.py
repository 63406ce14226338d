#!/usr/bin/env python3
"""memory3-evaluate as a program, with a random model, a bank and the running service.

usage: evaluate_program_test.py FOLDER_OF_PROGRAMS

What a random model answers is noise; what is tested is that every setting is asked, that the service
retrieves the right references, and that wrong flags are named.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import time

JOBS = ["painter", "baker", "sailor", "weaver"]
FIRST = ["Mira", "Tolan", "Besk", "Quil", "Zora", "Harn"]
LAST = ["Ondal", "Pruvel", "Kestri", "Wimbar", "Jolun", "Sadro", "Vettle", "Urmin"]


def write_lines(file: pathlib.Path, lines: list[dict]) -> None:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def write_world(folder: pathlib.Path) -> None:
    articles, questions = [], []
    for number, (first, last) in enumerate((f, l) for l in LAST for f in FIRST):
        name, job = f"{first} {last}", JOBS[number % len(JOBS)]
        split = ["train", "held_out", "absent"][number % 3]
        if split != "absent":
            articles.append({"id": str(number), "title": name, "text": f"{name} is a {job}.",
                             "kind": "person", "language": "en"})
        questions.append({"entity_id": number, "entity": name, "split": split, "kind": "person",
                          "language": "en", "attribute": "job", "question": f"What does {name} do?",
                          "answer": "I do not know." if split == "absent" else job,
                          "sentence": f"{name} works as a {job}."})
    write_lines(folder / "articles.jsonl", articles)
    write_lines(folder / "questions.jsonl", questions)
    write_lines(folder / "prompts.jsonl", [{"category": "chat", "turns": ["Hello!"]}])


class Service:
    """Sidecar and server on a Unix socket each."""

    def __init__(self, programs: pathlib.Path, folder: pathlib.Path) -> None:
        self.target = f"unix:{folder / 'server'}"
        sidecar = f"unix:{folder / 'sidecar'}"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        bank, taught = folder / "bank", folder / "taught"
        self.processes = [
            subprocess.Popen([programs / "memory3-retrieval", f"--bank={bank}",
                              f"--taught={taught}", f"--listen_address={sidecar}",
                              "--metrics_address="], **quiet),
            subprocess.Popen([programs / "memory3-server", f"--model_dir={folder / 'model'}",
                              f"--bank={bank}", f"--taught_dir={taught}", "--threads=1",
                              f"--retrieval_target={sidecar}", f"--listen_address={self.target}",
                              "--metrics_address=", "--max_sequences=8"], **quiet)]

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, *_) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(timeout=60)


def run(command: list, status: int = 0) -> subprocess.CompletedProcess:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          timeout=240)
    assert done.returncode == status, (command, done.returncode, done.stdout, done.stderr)
    return done


def row(report: str, section: str, first_cell: str) -> list[str]:
    body = report.split(f"## {section}\n", 1)[1].split("\n## ", 1)[0]
    for line in body.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        if cells[0] == first_cell:
            return cells[1:]
    raise AssertionError(f"no row {first_cell!r} under {section!r}:\n{report}")


def test(programs: pathlib.Path, folder: pathlib.Path) -> None:
    write_world(folder)
    model = folder / "model"
    run([programs / "memory3-synth", f"--out={model}"])
    run([programs / "memory3-bank", "build", f"--model_dir={model}", "--threads=1",
         f"--input={folder / 'articles.jsonl'}", f"--out={folder / 'bank'}"])
    evaluate = [programs / "memory3-evaluate", f"--model_dir={model}", "--threads=1",
                f"--questions_file={folder / 'questions.jsonl'}", "--max_tokens=4"]
    articles = f"--encyclopaedia={folder / 'articles.jsonl'}"
    began = time.monotonic()
    with Service(programs, folder) as service:
        report = run([*evaluate, articles, f"--target={service.target}", "--questions=10",
                      "--seeds=1,2", "--nll_texts=6", f"--prompts={folder / 'prompts.jsonl'}",
                      f"--answers={folder / 'answers.jsonl'}"]).stdout
    print(f"{time.monotonic() - began:.1f} s with service")
    # A name is found by its words: all but a few of the right references are retrieved.
    retrieved = float(row(report, "What the service retrieved", "held_out")[0].split()[0])
    assert retrieved >= 0.9, report
    assert len(row(report, "Right answers", "right memory + 4 others")) == 3, report
    assert row(report, "Right answers", "right memory")[2] == "–", report
    assert row(report, "Held-out facts", "context"), report
    assert "**Hello!**" in report, report
    answers = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    # Nine settings, three splits, two seeds; absent entities have no right reference.
    assert len(answers) == 2 * 10 * (9 * 2 + 5), len(answers)
    run([*evaluate, articles, "--questions=3", "--nll_texts=0",
         '--memory_config={"memory_layers": [0, 1], "kept_tokens": 128}'])

    assert "--encyclopaedia" in run(evaluate, 2).stderr
    assert "--match" in run([*evaluate, articles, "--match=some"], 2).stderr
    assert "--prompts" in run([*evaluate, articles, "--prompts=x"], 2).stderr
    assert "--seeds" in run([*evaluate, articles, "--seeds=one"], 2).stderr
    assert "missing.jsonl" in run([*evaluate, "--encyclopaedia=missing.jsonl"], 1).stderr


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        test(pathlib.Path(sys.argv[1]), pathlib.Path(scratch))
