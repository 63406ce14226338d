"""Independent random streams from one seed."""

import random


def stream(seed: int, *labels: object) -> random.Random:
    """A generator of its own for every list of labels.

    Text seeds go through SHA-512 inside `random`, so the numbers are the same in every process and
    on every machine, and one more draw in one place changes nothing in another.
    """
    return random.Random("/".join(["memory3", str(seed), *map(str, labels)]))
