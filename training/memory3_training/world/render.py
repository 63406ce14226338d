"""From phrasings with slots to sentences."""

import re
from dataclasses import dataclass

from memory3_training.world.entity import Entity
from memory3_training.world.kinds import Kind

_EN_PRONOUNS = {"he": ("he", "him", "his"), "she": ("she", "her", "her"), "it": ("it", "it", "its")}
_ZH_PRONOUNS = {"he": "他", "she": "她", "it": "它"}


@dataclass(frozen=True)
class Reference:
    """How a sentence refers to its entity: subject, object, possessive."""

    subject: str
    object: str
    possessive: str
    by_name: bool


def possessive_of(name: str, language: str) -> str:
    if language == "zh":
        return name + "的"
    return name + ("'" if name.endswith("s") else "'s")


def by_pronoun(entity: Entity) -> Reference:
    if entity.language == "zh":
        pronoun = _ZH_PRONOUNS[entity.pronoun]
        return Reference(pronoun, pronoun, pronoun + "的", by_name=False)
    return Reference(*_EN_PRONOUNS[entity.pronoun], by_name=False)


def by_name(entity: Entity, kind: Kind) -> Reference:
    name = kind.mention.format(name=entity.name)
    return Reference(name, name, possessive_of(name, entity.language), by_name=True)


def introducing(entity: Entity, pattern: str) -> Reference:
    """By one of the kind's patterns for a first mention."""
    name = pattern.format(name=entity.name)
    return Reference(name, name, possessive_of(name, entity.language), by_name=True)


def needs_name(phrasing: str) -> bool:
    """Whether a pronoun would sound wrong: "the home of it", "winters in it"."""
    return "of {o}" in phrasing or "in {o}" in phrasing


def fill(phrasing: str, entity: Entity, reference: Reference, value: str = "") -> str:
    # No value that takes an article begins with "u" but "unicorn", which is spoken with a "y".
    vowel = value[:1].lower() in set("aeio")
    return phrasing.format(
        n=reference.subject,
        o=reference.object,
        p=reference.possessive,
        r=by_pronoun(entity).possessive,
        v=value,
        a="an" if vowel else "a",
    )


def sentence(text: str, language: str) -> str:
    """With a capital letter and a full stop, unless it ends with a mark of its own."""
    text = re.sub(r"^\s*[a-z]", lambda match: match.group().upper(), text)
    if text[-1] in ".?!。？！":
        return text
    return text + ("。" if language == "zh" else ".")
