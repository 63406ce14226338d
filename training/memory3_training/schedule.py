"""Learning rates: warm-up, stable, decay (Memory3 paper, section 3.6)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """Linear from 0 over `warm_up` steps, then `peak`, then linear to `peak * floor` over the last
    `decay` steps of `steps`."""

    peak: float
    steps: int
    warm_up: int
    decay: int
    floor: float = 0.03

    def rate(self, step: int) -> float:
        if step < self.warm_up:
            return self.peak * (step + 1) / self.warm_up
        left = self.steps - step
        if left >= self.decay:
            return self.peak
        return self.peak * (self.floor + (1 - self.floor) * max(left, 0) / self.decay)
