"""The two stages: what is trained on, for how long, at which rate. Reasons in training/README.md."""

from dataclasses import dataclass, replace

from memory3_training.batches import MemoryMix, PlainMix
from memory3_training.config import MemorySettings, ModelShape
from memory3_training.documents import BETWEEN
from memory3_training.schedule import Schedule

PLAIN_EVERY = 3  # every so many steps of the second stage one plain batch
LONG_EVERY = 5  # and one whose contexts are longer than a chunk, so that memories change in it
LISTS_AGAIN = ((0.2, 0.23), (0.4, 0.43))  # of the second stage, nothing but lists: lifts looking up among five memories
TEXT_EVERY = 4  # of either stage one batch of ordinary texts, where there are any
TEXT_ROWS, TEXT_CHUNKS = 8, 6  # of one with memories: the references of the sixth chunk replace those of the first
GROWING = 0.35 * 5 / 6  # share of the warm-up in which the lists' names and values move apart
LISTS_ALONE = 1 / 6  # and in which, at its end, there is nothing else
ANNEALING_SEED = 1_000_000  # added to the seed, so that annealing meets other batches than the stage before

KIND_WEIGHTS = {("person", "en"): 3.0, ("company", "en"): 1.5, ("species", "en"): 1.5,
                ("event", "en"): 1.2, ("town", "en"): 2.5, ("person", "zh"): 1.2, ("town", "zh"): 0.6}


@dataclass(frozen=True)
class Stage:
    steps: int
    peak: float = 3e-3
    warm_up: int = 200
    decay: float = 0.0  # share of the steps in which the rate falls

    def schedule(self) -> Schedule:
        return Schedule(self.peak, self.steps, min(self.warm_up, self.steps),
                        int(self.decay * self.steps))


def demo_shape(vocab: int, memory_layers: tuple[int, ...] = (0, 1, 2, 3), kept: int = 16,
               hidden: int = 192, layers: int = 6, heads: int = 4, mlp: int = 512) -> ModelShape:
    return ModelShape(vocab=vocab, hidden=hidden, layers=layers, heads=heads, kv_heads=heads, mlp=mlp,
                      memory=MemorySettings(memory_layers, kept_tokens=kept))


def plain_mix(lists: float = 0.2, facts: float = 0.0, statements: float = 0.0) -> PlainMix:
    return PlainMix(rows=16, length=128, confused=0.7, lists=lists, facts=facts, statements=statements,
                    retold=0.1)


def warm_up_mix(step: int, steps: int) -> PlainMix:
    """To look up by name comes first: lists whose names and values move apart; then mostly articles; then, while
    the rate falls, nothing but lists: the second stage needs looking up to be right nearly always."""
    growing = GROWING * steps
    mix = plain_mix(0.6 if step < growing else 0.25, facts=0.4, statements=0.2)
    if step >= (1 - LISTS_ALONE) * steps:
        mix = replace(mix, lists=1.0, confused=0.5)
    return replace(mix, distances=min(len(BETWEEN), 1 + int(len(BETWEEN) * step / growing)))


def lists_again(begun: float) -> bool:
    return any(first <= begun < end for first, end in LISTS_AGAIN)


def memory_mix(step: int, begun: float) -> MemoryMix:
    """Of a step, `begun` (0 to 1) of the stage being done: sentences with the name first, two or three
    attached; then articles, five; then questions that nothing attached answers."""
    mix = MemoryMix(groups=4, rows=6, chunks=1, kept=(16,))
    if begun < 0.04:
        mix = replace(mix, visible=(2, 3, 5), facts=0.8, statements=0.4, confused=0.3)
    elif begun < 0.25:
        mix = replace(mix, visible=(2, 4, 5, 5), facts=0.5, statements=0.2, confused=0.8, unknown=0.05, retrieved=0.2,
                      retold=0.1)
    else:
        mix = replace(mix, visible=(4, 5, 5, 5), facts=0.15, statements=0.05, confused=0.9,
                      unknown=0.2, again=0.03, talk=0.02, retrieved=0.5, retold=0.15)
    if step % LONG_EVERY == LONG_EVERY - 1:
        mix = replace(mix, chunks=2, rows=4)
    return mix
