"""What the world is made of."""

from dataclasses import dataclass, field
from typing import Literal

Split = Literal["train", "held_out", "absent"]
Language = Literal["en", "zh"]

# In the training text and the bank; in the bank only; nowhere but in questions.
SPLITS: tuple[Split, ...] = ("train", "held_out", "absent")


@dataclass(frozen=True)
class Entity:
    """Something invented that an article can be written about.

    `attributes` are all that is known of it, in the order of its kind; every value comes from a
    closed set, which the training entities cover but for some of the numbers.
    """

    id: int
    kind: str  # "person", "town", "company", "species", "event"
    split: Split
    language: Language
    name: str  # unique in its world
    attributes: dict[str, str] = field(hash=False)
    pronoun: str = "it"  # "he", "she" or "it", in every language


@dataclass(frozen=True)
class Question:
    """A question that names its entity in full."""

    entity_id: int
    attribute: str
    text: str
    answer: str  # the bare value, as the article spells it; the fixed phrase for absent entities
    sentence: str  # the same as a full sentence
    language: Language
