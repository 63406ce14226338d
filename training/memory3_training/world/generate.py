"""Makes a world from a seed."""

import dataclasses
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from memory3_training.world import chinese, names, values
from memory3_training.world.articles import article
from memory3_training.world.entity import SPLITS, Entity, Split
from memory3_training.world.schema import KINDS
from memory3_training.world.streams import stream

# Names of entities that are values of others come from the first training entities of their kind,
# so that a closed set of values is learned and no held-out name enters the training text.
_MAX_NAMED_VALUES = 300
_FIRST_NAMES = 300  # half of them women's
_LAST_NAMES = 400
_COMPANY_STEMS = 400
_SPECIES_STEMS = 250
_EVENT_STEMS = 300
_RIVERS = 80


@dataclass(frozen=True)
class Counts:
    """How many entities of each kind, all splits together."""

    people: int = 14_000
    towns: int = 4_000
    companies: int = 4_000
    species: int = 4_000
    events: int = 3_000
    chinese_people: int = 3_000
    chinese_towns: int = 1_000
    held_out: float = 0.06  # share of each kind
    absent: float = 0.06

    def __post_init__(self) -> None:
        if min(dataclasses.astuple(self)) < 0:
            raise ValueError("counts and shares must not be negative")
        if self.held_out + self.absent >= 1:
            raise ValueError("held_out and absent together must be below 1")


@dataclass(frozen=True)
class World:
    """Tens of thousands of invented entities; equal for equal seed and counts, on every machine."""

    seed: int
    entities: tuple[Entity, ...]  # entities[i].id == i

    @staticmethod
    def generate(seed: int, counts: Counts = Counts()) -> "World":
        return World(seed, tuple(_Maker(seed, counts).make()))

    def split(
        self, split: Split, kind: str | None = None, language: str | None = None
    ) -> list[Entity]:
        return [
            entity
            for entity in self.entities
            if entity.split == split
            and kind in (None, entity.kind)
            and language in (None, entity.language)
        ]

    def bank(self) -> list[Entity]:
        """The entities that a bank has an article of."""
        return [entity for entity in self.entities if entity.split != "absent"]

    def article(self, entity: Entity) -> str:
        """The entity's one article in the bank; training may phrase it anew."""
        return article(entity, stream(self.seed, "article", entity.id))


class _Maker:
    def __init__(self, seed: int, counts: Counts):
        self.seed = seed
        self.counts = counts
        self.entities: list[Entity] = []
        self.taken: set[str] = set()  # single invented words

    def make(self) -> list[Entity]:
        counts = self.counts
        rivers = self._stock("river", _RIVERS)
        years = values.years(1100, 1799)
        self._towns = self._add(
            "town",
            "en",
            counts.towns,
            self._english_towns(),
            {
                "river": rivers,
                "founded": years,
                "population": values.round_numbers(100, 99_000),
                "product": values.GOODS,
                "emblem": values.ANIMALS,
            },
        )
        companies = self._add(
            "company",
            "en",
            counts.companies,
            self._two_words("company", _COMPANY_STEMS),
            {
                "headquarters": self._towns,
                "founded": values.years(1800, 1989),
                "product": values.GOODS,
                "employees": values.round_numbers(10, 9_900),
                "logo": values.ANIMALS,
            },
        )
        self._people(companies)
        self._add(
            "species",
            "en",
            counts.species,
            self._species(),
            {
                "habitat": values.HABITATS,
                "colour": values.COLOURS,
                "diet": values.DIETS,
                "length": tuple(str(length) for length in range(2, 200)),
                "enemy": values.ANIMALS,
            },
        )
        self._add(
            "event",
            "en",
            counts.events,
            self._events(),
            {
                "place": self._towns,
                "year": values.years(1800, 1989),
                "duration": values.DURATIONS,
                "visitors": values.round_numbers(100, 99_000),
                "highlight": values.HIGHLIGHTS,
            },
        )
        self._chinese()
        return self.entities

    def _rng(self, *labels: object) -> random.Random:
        return stream(self.seed, *labels)

    def _stock(self, ending: str, count: int) -> tuple[str, ...]:
        return names.english_stock(self._rng("stock", ending), ending, count, self.taken)

    def _english_towns(self) -> Iterator[tuple[str, str]]:
        return ((name, "it") for name in self._stock("town", self.counts.towns))

    def _two_words(self, ending: str, stems: int) -> Iterator[tuple[str, str]]:
        pairs = names.pairs(
            self._rng("names", ending), self._stock(ending, stems), values.COMPANY_NOUNS, " "
        )
        return ((name, "it") for name in pairs)

    def _species(self) -> Iterator[tuple[str, str]]:
        stems = self._stock("species", _SPECIES_STEMS)
        return (
            (name, "it")
            for name in names.pairs(
                self._rng("names", "species"), values.SPECIES_ADJECTIVES, stems, " "
            )
        )

    def _events(self) -> Iterator[tuple[str, str]]:
        stems = self._stock("event", _EVENT_STEMS)
        return (
            (name, "it")
            for name in names.pairs(self._rng("names", "event"), stems, values.EVENT_NOUNS, " ")
        )

    def _people(self, companies: tuple[str, ...]) -> None:
        last = self._stock("last", _LAST_NAMES)
        first = {pronoun: self._stock(pronoun, _FIRST_NAMES // 2) for pronoun in ("she", "he")}
        self._add(
            "person",
            "en",
            self.counts.people,
            self._couples(first, last, " "),
            {
                "birth_town": self._towns,
                "birth_year": values.years(1800, 1989),
                "profession": values.PROFESSIONS,
                "employer": companies,
                "hobby": values.HOBBIES,
            },
        )

    def _couples(
        self, first: dict[str, tuple[str, ...]], last: tuple[str, ...], joint: str
    ) -> Iterator[tuple[str, str]]:
        pronoun_of = {name: pronoun for pronoun, stock in first.items() for name in stock}
        everyone = [name for stock in first.values() for name in stock]
        for name in names.pairs(self._rng("names", "person", joint), everyone, last, joint):
            yield name, pronoun_of[name.split(joint)[0]]

    def _chinese(self) -> None:
        rng = self._rng("stock", "zh")
        rivers = names.chinese_stock(rng, 2, 60, self.taken)
        town_names = (
            (name, "it") for name in names.chinese_towns(rng, self.counts.chinese_towns, self.taken)
        )
        towns = self._add(
            "town",
            "zh",
            self.counts.chinese_towns,
            town_names,
            {
                "river": rivers,
                "founded": values.years(1100, 1799),
                "product": chinese.GOODS,
                "emblem": chinese.ANIMALS,
            },
        )
        stocks = {pronoun: names.chinese_stock(rng, 2, 75, self.taken) for pronoun in ("she", "he")}
        last = names.chinese_stock(rng, 2, 200, self.taken)
        self._add(
            "person",
            "zh",
            self.counts.chinese_people,
            self._couples(stocks, last, "·"),
            {
                "birth_town": towns,
                "birth_year": values.years(1800, 1989),
                "profession": chinese.PROFESSIONS,
                "hobby": chinese.HOBBIES,
            },
        )

    def _add(
        self,
        kind: str,
        language: str,
        count: int,
        named: Iterator[tuple[str, str]],
        sets: dict[str, tuple[str, ...]],
    ) -> tuple[str, ...]:
        """Adds `count` entities; gives the names that others may have as values."""
        assert list(sets) == [attribute.name for attribute in KINDS[kind, language].attributes]
        rng = self._rng("entities", kind, language)
        splits = self._splits(rng, count)
        found = list(islice(named, count))
        if len(found) < count:
            raise ValueError(f"{count} of kind {kind}: at most {len(found)} can be named")
        for attribute, options in sets.items():
            if count and not options:
                raise ValueError(f"{count} of kind {kind}: nothing to choose a {attribute} from")
        added = []
        for (name, pronoun), split in zip(found, splits, strict=True):
            attributes = {attribute: rng.choice(options) for attribute, options in sets.items()}
            added.append(
                Entity(len(self.entities), kind, split, language, name, attributes, pronoun)
            )
            self.entities.append(added[-1])
        return tuple(one.name for one in added if one.split == "train")[:_MAX_NAMED_VALUES]

    def _splits(self, rng: random.Random, count: int) -> list[Split]:
        held_out, absent = int(count * self.counts.held_out), int(count * self.counts.absent)
        train, out, away = SPLITS
        splits = [train] * (count - held_out - absent) + [out] * held_out + [away] * absent
        rng.shuffle(splits)
        return splits
