"""Near duplicates by MinHash (Broder 1997) with locality-sensitive hashing, confirmed exactly.

Two texts are as similar as the Jaccard index of their shingles, runs of a few words. The share of
equal numbers in two signatures estimates it; texts with a band of equal numbers become candidates,
and the index of candidates is computed in full. So nothing is dropped that is not a duplicate; a
duplicate at the threshold is missed with a probability of a few percent, a closer one with less.
"""

import hashlib
import random
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

from memory3_training.cleaning.words import words_of

SHINGLE_WORDS = 5
THRESHOLD = 0.8  # of the Jaccard index, from which on the later text is dropped
# As candidates are confirmed, few permutations do: more would only make fewer false candidates.
PERMUTATIONS = 32

_PRIME = (1 << 61) - 1  # above every shingle's number
_MAX_MISSED = 0.05  # of the pairs exactly at the threshold

Item = TypeVar("Item")


def shingles(text: str, length: int = SHINGLE_WORDS) -> frozenset[int]:
    """The runs of `length` words, as numbers; of a shorter text, all its words as one run."""
    words = [word.lower() for word in words_of(text)]
    starts = range(max(1, len(words) - length + 1))
    return frozenset(_number(" ".join(words[i : i + length])) for i in starts)


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) % _PRIME


def jaccard(one: frozenset[int], other: frozenset[int]) -> float:
    """Shared over all; 1 for two empty sets."""
    union = len(one | other)
    return len(one & other) / union if union else 1.0


class MinHasher:
    """Signatures of sets: the least number under each of many random permutations."""

    def __init__(self, permutations: int = PERMUTATIONS, seed: int = 1) -> None:
        rng = random.Random(f"minhash/{seed}")
        self._permutations = [
            (rng.randrange(1, _PRIME), rng.randrange(_PRIME)) for _ in range(permutations)
        ]

    def signature(self, numbers: frozenset[int]) -> tuple[int, ...]:
        """Of a set that is not empty."""
        return tuple(
            min([(a * number + b) % _PRIME for number in numbers]) for a, b in self._permutations
        )


def rows_per_band(threshold: float, permutations: int, max_missed: float = _MAX_MISSED) -> int:
    """As many rows as miss at most that share of the pairs at the threshold.

    Of a pair with Jaccard index s, a band of r rows is equal with s^r, so all of n/r bands differ
    with (1 - s^r)^(n/r). More rows make fewer false candidates.
    """
    rows = 1
    while rows < permutations:
        more = rows + 1
        if (1 - threshold**more) ** (permutations // more) > max_missed:
            break
        rows = more
    return rows


class _Buckets:
    """Finds the sets seen before that share a band with a new one."""

    def __init__(self, threshold: float, permutations: int) -> None:
        self._hasher = MinHasher(permutations)
        self._rows = rows_per_band(threshold, permutations)
        self._buckets: dict[Hashable, list[int]] = {}

    def bands(self, numbers: frozenset[int]) -> list[Hashable]:
        signature = self._hasher.signature(numbers)
        ends = range(self._rows, len(signature) + 1, self._rows)
        return [(end, signature[end - self._rows : end]) for end in ends]

    def candidates(self, bands: list[Hashable]) -> set[int]:
        return {index for band in bands for index in self._buckets.get(band, ())}

    def add(self, bands: list[Hashable], index: int) -> None:
        for band in bands:
            self._buckets.setdefault(band, []).append(index)


def without_near_duplicates(
    items: Iterable[Item],
    text_of: Callable[[Item], str] = str,
    threshold: float = THRESHOLD,
    permutations: int = PERMUTATIONS,
) -> Iterator[Item]:
    """The items, without those that are as similar as `threshold` to one that was kept before."""
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold: must be above 0 and at most 1, got {threshold}")
    buckets = _Buckets(threshold, permutations)
    kept: list[frozenset[int]] = []
    for item in items:
        numbers = shingles(text_of(item))
        bands = buckets.bands(numbers)
        if any(jaccard(numbers, kept[i]) >= threshold for i in buckets.candidates(bands)):
            continue
        buckets.add(bands, len(kept))
        kept.append(numbers)
        yield item
