"""Which cases single precision can be asked to agree on.

The reference computes in float64. Where the weights of a kept and a dropped token are equal to about seven digits, which
one is kept is rounding, and an engine that keeps the other is right too: such cases are drawn again.
"""
from collections import Counter

import numpy as np

ROUNDING = 3e-6  # relative, of every query and key: several times what single precision does to them
GREEDY_MARGIN = 1e-3  # below it, rounding may decide between the best and the second logit


def rounding_stable(model_class):
    """The reference's Model; `stable` says whether all its selections so far survive rounding.

    Another place of the same token is not counted as a change: in the first layer both weigh exactly the same, and the
    reference's own rounding decides between them (memory3-parity knows).
    """
    class StableModel(model_class):
        stable, ids = True, []

        def encode_reference(self, ids, prefix_ids):
            self.ids = list(ids)[:self.reference_tokens]
            return super().encode_reference(ids, prefix_ids)

        def select(self, q, k):
            kept = super().select(q, k)
            rng = np.random.default_rng(1)
            for _ in range(3):
                noise = lambda a: a * (1 + ROUNDING * rng.uniform(-1, 1, a.shape))
                for row, other in zip(kept, super().select(noise(q), noise(k))):
                    tokens = lambda places: Counter(self.ids[place] for place in places)
                    self.stable &= bool((row == other).all()) or tokens(row) == tokens(other)
            return kept

    return StableModel
