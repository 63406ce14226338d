"""How a kind of entity is described: its attributes, and the phrasings that tell of them."""

from dataclasses import dataclass

# The answer about what is in no memory.
UNKNOWN_ENGLISH = "I do not know."
UNKNOWN_CHINESE = "我不知道。"


@dataclass(frozen=True)
class Attribute:
    """Phrasings of one attribute. Slots:

    {n} the entity as a subject, {o} as an object, {p} its possessive ("Mara Voss's", "her"),
    {r} the possessive of what the sentence has already named ("her"), {v} the value, {a} "a" or
    "an" before the value.
    """

    name: str
    predicates: tuple[str, ...]  # follow the subject, and may be joined: "was born in {v}"
    sentences: tuple[str, ...]  # stand alone, without their full stop
    openers: tuple[str, ...]  # "born in {v}", before or after the subject
    questions: tuple[str, ...]  # make sense with name and with pronoun


@dataclass(frozen=True)
class Kind:
    name: str
    language: str
    mention: str  # how a sentence names it: "{name}" or "the {name}"
    introduced: tuple[str, ...]  # its first mention in an article, as a subject
    fillers: tuple[str, ...]  # sentences that say nothing worth asking about
    attributes: tuple[Attribute, ...]
    unknown: str  # the answer about entities in no memory

    def attribute(self, name: str) -> Attribute:
        return next(one for one in self.attributes if one.name == name)
