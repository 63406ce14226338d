"""Groups of entities as retrieval names them together, for the second stage.

What a chunk sees in serving is what retrieval finds for it: the entity that is asked about, if it is
there at all, and those it is taken for. A group here is that, with values drawn anew like everything
that training invents: which entities come together is retrieval's, what is said of them cannot be
learned by heart.
"""

import random
from pathlib import Path

from memory3_training.invented import Inventor
from memory3_training.retrieved import read_retrieved
from memory3_training.world import Entity, World


class RetrievedGroups:
    """Reads a file of memory3_training.retrieved, made for the same world."""

    def __init__(self, file: Path, world: World, inventor: Inventor) -> None:
        self.world, self.inventor = world, inventor
        self.found: list[tuple[int, ...]] = []
        self.about: dict[int, int] = {}  # entity -> a line that asks about it
        for line in read_retrieved(file):
            if not inventor.knows(world.entities[line.entity_id]):
                continue
            if any(world.entities[number].split != "train" for number in line.found):
                raise ValueError(f"{file}: names entities that are not in the training text; was it "
                                 f"made for another world?")
            self.about[line.entity_id] = len(self.found)
            self.found.append(line.found)
        if not self.found:
            raise ValueError(f"{file}: no question about entities of the kinds that are trained on")

    def group(self, count: int, rng: random.Random) -> list[Entity]:
        """`count` entities that were found together, and with one another; fewer if retrieval found
        fewer."""
        ids = list(rng.choice(self.found))
        for near in rng.sample(ids, len(ids)):
            if len(ids) >= count:
                break
            ids += [i for i in self.found[self.about[near]] if i not in ids] if near in self.about else []
        known = (self.world.entities[i] for i in ids[:count])
        return [self.inventor.renewed(entity, rng) for entity in known if self.inventor.knows(entity)]
