"""Whether a text holds a reference nearly word for word (Memory³ paper, 3.6).

A sequence is never trained with a reference that it overlaps by more than 90 %: it would learn to
copy what is coming. The overlap is the longest common subsequence of the reference and a window of
the text twice as long as the reference, over the reference's length; the best window counts.
"""

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence

MAX_OVERLAP = 0.9
_WINDOW = 2  # lengths of the reference


def lcs_length(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Length of the longest common subsequence.

    The bit-parallel way of Hyyrö (2004): the bits of one long number are the rows of a column of
    the usual table, so that a token of `other` costs a few operations on numbers of len(one) bits.
    """
    matches: dict[Hashable, int] = {}
    for row, token in enumerate(one):
        matches[token] = matches.get(token, 0) | 1 << row
    every = (1 << len(one)) - 1
    column = every  # a zero bit is a row where the table steps up by one
    for token in other:
        common = column & matches.get(token, 0)
        column = (column + common | column - common) & every
    return len(one) - column.bit_count()


def _windows(reference: Sequence[Hashable], text: Sequence[Hashable]) -> Iterator[tuple[int, int]]:
    """(begin, bound): the subsequence in the window from `begin` is no longer than the bound.

    The bound is how many tokens both hold, in any order; it moves along in constant time.
    """
    length = _WINDOW * len(reference)
    missing = Counter(reference)  # negative: the window holds more of it than the reference
    common = 0
    for token in text[:length]:
        common += missing[token] > 0
        missing[token] -= 1
    yield 0, common
    for begin, (gone, come) in enumerate(zip(text, text[length:]), start=1):
        missing[gone] += 1
        common -= missing[gone] > 0
        common += missing[come] > 0
        missing[come] -= 1
        yield begin, common


def _best(reference: Sequence[Hashable], text: Sequence[Hashable], above: int) -> int:
    """The longest subsequence of any window, if it is longer than `above`; else `above`."""
    best = above
    for begin, bound in _windows(reference, text):
        if bound > best:
            window = text[begin : begin + _WINDOW * len(reference)]
            best = max(best, lcs_length(reference, window))
    return best


def overlap(reference: Sequence[Hashable], text: Sequence[Hashable]) -> float:
    """From 0 to 1; 0 for an empty reference."""
    return _best(reference, text, above=0) / len(reference) if reference else 0.0


def overlaps(
    reference: Sequence[Hashable], text: Sequence[Hashable], limit: float = MAX_OVERLAP
) -> bool:
    """Whether the overlap is above the limit. Fast for texts that share few tokens, as most do."""
    if not reference:
        return False
    allowed = int(limit * len(reference))
    return _best(reference, text, above=allowed) > allowed
