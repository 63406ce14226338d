"""Entities made up anew for every training document.

The parts of their names and their values are those of the world's training entities; who has which is
drawn again every time. So a model cannot learn answers by heart: it must read them. Names of held-out
and absent entities never occur.
"""

import random
from collections.abc import Sequence
from dataclasses import replace

from memory3_training.world import Entity, World
from memory3_training.world.schema import KINDS

_LIKE_NAMES = {"en": 4, "zh": 2}  # first or last letters that names of one word share when they are alike


class _Kind:
    """What entities of one kind and language are made of."""

    def __init__(self, members: Sequence[Entity], forbidden: set[str], stock: int) -> None:
        self.example = members[0]
        self.forbidden = forbidden
        self.joint = next((j for j in (" ", "·") if j in members[0].name), "")
        self.values = {a: sorted({e.attributes[a] for e in members}) for a in members[0].attributes}
        self.names = [entity.name for entity in members]
        if self.joint:
            parts = [name.split(self.joint, 1) for name in self.names]
            self.first = sorted({first for first, _ in parts})[:stock]
            self.last = sorted({last for _, last in parts})[:stock]
            self.pronouns = {e.name.split(self.joint)[0]: e.pronoun for e in members}
        else:
            self.letters = _LIKE_NAMES[self.example.language]
            self.by_start: dict[str, list[str]] = {}
            self.by_end: dict[str, list[str]] = {}
            for name in self.names:
                self.by_start.setdefault(name[:self.letters], []).append(name)
                self.by_end.setdefault(name[-self.letters:], []).append(name)

    def entity(self, name: str, rng: random.Random) -> Entity:
        values = {attribute: rng.choice(choice) for attribute, choice in self.values.items()}
        pronoun = self.pronouns[name.split(self.joint)[0]] if self.joint else "it"
        return replace(self.example, id=-1, split="train", name=name, attributes=values,
                       pronoun=pronoun)

    def likely_confused(self, count: int, rng: random.Random) -> list[str]:
        """Different names, nearly all of which share a part with several others."""
        if not self.joint:
            root = rng.choice(self.names)
            close = self._alike(root, self.by_start, count // 2, rng)
            close += [n for n in self._alike(root, self.by_end, count // 4, rng) if n not in close]
            others = [n for n in rng.sample(self.names, 2 * count) if n != root and n not in close]
            return [root, *close, *others][:count]
        side = rng.choice((2, 3, 3, 4))
        firsts = rng.sample(self.first, side)
        lasts = rng.sample(self.last, -(-count // side) + 1)
        grid = [f + self.joint + last for f in firsts for last in lasts]
        grid = [name for name in grid if name not in self.forbidden]
        return rng.sample(grid, min(count, len(grid)))

    def _alike(self, name: str, index: dict[str, list[str]], count: int,
               rng: random.Random) -> list[str]:
        """Other names with the same start, or the same end."""
        key = name[:self.letters] if index is self.by_start else name[-self.letters:]
        found = [other for other in index.get(key, ()) if other != name]
        return rng.sample(found, min(count, len(found)))

    def any_names(self, count: int, rng: random.Random) -> list[str]:
        names: list[str] = []
        while len(names) < count:
            name = rng.choice(self.names) if not self.joint else \
                rng.choice(self.first) + self.joint + rng.choice(self.last)
            if name not in self.forbidden and name not in names:
                names.append(name)
        return names

    def mixed(self, names: Sequence[str], rng: random.Random) -> str | None:
        """A name of no entity of `names`: from the parts of two of them, or one that begins like one."""
        if not self.joint:
            near = self._alike(rng.choice(names), self.by_start, 1, rng) if names else []
            return near[0] if near and near[0] not in names else None
        if len(names) < 2:
            return None
        one, other = rng.sample(names, 2)
        name = one.split(self.joint, 1)[0] + self.joint + other.split(self.joint, 1)[1]
        return None if name in names or name in self.forbidden else name


class Inventor:
    """Makes entities; `kinds` weighs the kinds, e.g. {("person", "en"): 3.0, ("town", "en"): 1.0}.

    `stock`: of names of two parts only so many first and last parts are used.
    """

    def __init__(self, world: World, kinds: dict[tuple[str, str], float], stock: int = 1 << 30) -> None:
        for key in kinds:
            if key not in KINDS:
                raise ValueError(f"there is no kind {key}")
        forbidden = {entity.name for entity in world.entities if entity.split != "train"}
        self._weights = list(kinds.values())
        self._kinds = [_Kind(world.split("train", *key), forbidden, stock) for key in kinds]
        self._by_key = dict(zip(kinds, self._kinds))
        self.words = sorted({word for kind in self._kinds for word in self._words_of(kind)})

    @staticmethod
    def _words_of(kind: _Kind) -> list[str]:
        if kind.joint != " ":
            return [] if kind.joint else kind.names[:300]
        return [*kind.first, *kind.last]

    def _kind(self, rng: random.Random) -> _Kind:
        return rng.choices(self._kinds, self._weights)[0]

    def names(self, count: int, rng: random.Random, confused: float) -> list[str]:
        """Of one kind, all different; with this probability most share a part with others."""
        return self._names(self._kind(rng), count, rng, confused)

    @staticmethod
    def _names(kind: _Kind, count: int, rng: random.Random, confused: float) -> list[str]:
        names = kind.likely_confused(count, rng) if rng.random() < confused else []
        names += [n for n in kind.any_names(count, rng) if n not in names][:count - len(names)]
        rng.shuffle(names)
        return names

    def values(self, count: int, rng: random.Random) -> list[str]:
        """Of one attribute of one kind, all different."""
        choice = rng.choice(list(self._kind(rng).values.values()))
        return rng.sample(choice, count)

    def knows(self, entity: Entity) -> bool:
        """Whether entities of its kind are invented here."""
        return (entity.kind, entity.language) in self._by_key

    def renewed(self, entity: Entity, rng: random.Random) -> Entity:
        """One of the same name, its values drawn anew."""
        return self._by_key[entity.kind, entity.language].entity(entity.name, rng)

    def one(self, rng: random.Random) -> Entity:
        kind = self._kind(rng)
        return kind.entity(kind.any_names(1, rng)[0], rng)

    def facts(self, count: int, rng: random.Random, confused: float) -> list[Entity]:
        """`count` entities of one kind of which only the same one to three attributes are known."""
        kind = self._kind(rng)
        known = rng.sample(list(kind.values), rng.choice((1, 1, 2, 3)))
        made = [kind.entity(n, rng) for n in self._names(kind, count, rng, confused)]
        return [replace(e, attributes={name: e.attributes[name] for name in known}) for e in made]

    def group(self, count: int, rng: random.Random, confused: float) -> list[Entity]:
        """`count` entities of different names; a share `confused` of groups is hard to tell apart."""
        if rng.random() >= confused:
            kinds = [self._kind(rng)] * count if rng.random() < 0.5 else \
                [self._kind(rng) for _ in range(count)]
            made: dict[str, Entity] = {}
            for kind in kinds:
                name = next(n for n in kind.any_names(count, rng) if n not in made)
                made[name] = kind.entity(name, rng)
            return list(made.values())
        kind = self._kind(rng)
        return [kind.entity(name, rng) for name in self._names(kind, count, rng, confused=1.0)]

    def absent_from(self, group: Sequence[Entity], rng: random.Random) -> Entity:
        """An entity that is none of `group`, of the kind of one of them if there are any."""
        near = rng.choice(group) if group else None
        kind = self._by_key[near.kind, near.language] if near else self._kind(rng)
        names = [entity.name for entity in group]
        same = [e.name for e in group if (e.kind, e.language) == (near.kind, near.language)] \
            if near else []
        name = kind.mixed(same, rng) if rng.random() < 0.6 else None
        while name is None or name in names:
            name = kind.any_names(1, rng)[0]
        return replace(kind.entity(name, rng), split="absent")
