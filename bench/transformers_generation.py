#!/usr/bin/env python3
"""Measures transformers' own generation on a model folder: the neighbour beside whose figures a GPU's are read.

Two settings: continuous batching (generate_batch over a paged cache) and the plain padded batch (generate). Requests
are those of `memory3-bench engine`: random prompts of one length, greedy, past any end of text, started together.
Prints a Markdown table; "output tok/s" means what it means there: generated tokens / time from the first request to
the last token, prompts included. The best of --repeat runs, after one that warms up.

usage: transformers_generation.py --model_dir DIR [--batch 1,64] [--prompt 128] [--generate 128] [--repeat 2]

Exit status 3, and one line that says why, where torch, transformers or a CUDA device is missing.
"""

import argparse
import inspect
import os
import random
import sys
import time

UNAVAILABLE = 3


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model_dir", required=True)
    parser.add_argument("--batch", default="1,64", help="batch sizes, separated by commas")
    parser.add_argument("--prompt", type=int, default=128, help="tokens of each prompt")
    parser.add_argument("--generate", type=int, default=128, help="tokens of each answer")
    parser.add_argument("--repeat", type=int, default=2, help="measured runs of each row")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    try:
        options.batch = [int(size) for size in options.batch.split(",")]
    except ValueError:
        parser.error(f"--batch: {options.batch!r} is not a list of numbers")
    if min(options.batch + [options.prompt, options.generate, options.repeat]) < 1:
        parser.error("sizes must be positive")
    return options


def random_prompts(seed, count, tokens, vocabulary):
    numbers = random.Random(seed)
    return [[numbers.randrange(vocabulary) for _ in range(tokens)] for _ in range(count)]


def best_rate(run, repeat, clock=time.perf_counter):
    """run() generates and returns how many tokens. Tokens per second of the best of `repeat` runs, and the tokens."""
    run()
    best, tokens = 0.0, 0
    for _ in range(repeat):
        began = clock()
        tokens = run()
        best = max(best, tokens / (clock() - began))
    return best, tokens


def markdown(rows):
    lines = ["| batch | setting | output tok/s | tokens |", "| ----: | ------- | -----------: | -----: |"]
    for batch, setting, rate, tokens in rows:
        shown = "–" if rate is None else f"{rate:.1f}"
        lines.append(f"| {batch} | {setting} | {shown} | {tokens} |")
    return "\n".join(lines)


class Subject:
    """A model on the device, with both ways of generating."""

    def __init__(self, options):
        import torch
        import transformers

        self.torch, self.options = torch, options
        self.versions = f"transformers {transformers.__version__}, torch {torch.__version__}"
        self.device = torch.cuda.get_device_name(0)
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            options.model_dir, dtype=torch.bfloat16, attn_implementation="sdpa").to("cuda").eval()
        # No token ends an answer; the padding id is never reached, since all prompts have one length.
        self.config = transformers.GenerationConfig(
            max_new_tokens=options.generate, min_new_tokens=options.generate, do_sample=False,
            eos_token_id=None, pad_token_id=0)
        self.continuous_config = transformers.GenerationConfig(
            max_new_tokens=options.generate, do_sample=False, eos_token_id=-1, pad_token_id=0)

    def continuous(self, prompts):
        # One manager for all runs, where this version has them: its start is no part of a run.
        known = inspect.signature(self.model.generate_batch).parameters
        extras = {"progress_bar": False, "persistent_manager": True}
        with self.torch.inference_mode():
            outputs = self.model.generate_batch(
                inputs=prompts, generation_config=self.continuous_config,
                **{name: value for name, value in extras.items() if name in known})
        self.torch.cuda.synchronize()
        return sum(len(output.generated_tokens) for output in outputs.values())

    def begin_row(self):
        """A manager that is kept was sized for the requests that it saw first: every batch size gets its own."""
        destroy = getattr(self.model, "destroy_cached_continuous_batching_manager", None)
        if destroy is not None:
            destroy()

    def padded(self, prompts):
        inputs = self.torch.tensor(prompts, device="cuda")
        with self.torch.inference_mode():
            outputs = self.model.generate(inputs=inputs, attention_mask=self.torch.ones_like(inputs),
                                          generation_config=self.config)
        self.torch.cuda.synchronize()
        return outputs.numel() - inputs.numel()


def measure(subject, options):
    rows = []
    vocabulary = subject.model.config.vocab_size
    # The plain batch first: generate_batch switches the model's attention over to a paged one.
    for setting, generate in (("padded batch", subject.padded), ("continuous batching", subject.continuous)):
        for batch in options.batch:
            prompts = random_prompts(options.seed, batch, options.prompt, vocabulary)
            subject.begin_row()
            try:
                rate, tokens = best_rate(lambda: generate(prompts), options.repeat)
            except Exception as error:  # one setting that fails does not hide the other
                print(f"{setting}, batch {batch}: {error}", file=sys.stderr)
                rate, tokens = None, 0
            rows.append((batch, setting, rate, tokens))
    return rows


def main(argv):
    options = parse_arguments(argv)
    try:
        import torch
        import transformers  # noqa: F401
    except ImportError as error:
        print(f"not measured: {error}")
        return UNAVAILABLE
    if not torch.cuda.is_available():
        print("not measured: torch finds no CUDA device")
        return UNAVAILABLE
    subject = Subject(options)
    rows = measure(subject, options)
    print(f"- {subject.versions}, {subject.device}, bf16, prompt {options.prompt}, generate {options.generate}\n")
    print(markdown(rows))
    return 0 if any(rate is not None for _, _, rate, _ in rows) else 1


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # without waiting for threads that the library may have left
