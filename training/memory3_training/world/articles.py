"""Encyclopaedia articles: every attribute of an entity, in ever new words and order."""

import random

from memory3_training.world.entity import Entity
from memory3_training.world.kinds import Kind
from memory3_training.world.render import (
    Reference,
    by_name,
    by_pronoun,
    fill,
    introducing,
    needs_name,
    sentence,
)
from memory3_training.world.schema import kind_of

_PRONOUN_SHARE = 0.65  # of the sentences after the first
_OPENER_SHARE = 0.35
_POSSESSIVE_SHARE = 0.4
_FILLERS = (3, 4, 3)  # how often none, one, two
_MAX_JOINED = 3  # attributes in one sentence


def article(entity: Entity, rng: random.Random) -> str:
    """One paragraph that states every attribute; it names the entity in full in its first sentence.

    Short enough to be one reference: 128 tokens of a tokenizer trained on such articles hold it.
    """
    kind = kind_of(entity)
    left = list(kind.attributes)
    rng.shuffle(left)
    sentences: list[str] = []
    while left:
        reference = _reference(entity, kind, rng, first=not sentences)
        joined = rng.choices(range(1, _MAX_JOINED + 1), weights=(5, 4, 1))[0]
        taken, left = left[:joined], left[joined:]
        values = [(attribute, entity.attributes[attribute.name]) for attribute in taken]
        sentences.append(sentence(_clause(entity, kind, values, reference, rng), entity.language))
    for filler in rng.sample(kind.fillers, rng.choices(range(3), weights=_FILLERS)[0]):
        reference = _suited(filler, entity, kind, _reference(entity, kind, rng, first=False))
        at = rng.randint(1, len(sentences))
        sentences.insert(at, sentence(fill(filler, entity, reference), entity.language))
    return ("" if entity.language == "zh" else " ").join(sentences)


def _reference(entity: Entity, kind: Kind, rng: random.Random, first: bool) -> Reference:
    if first:
        return introducing(entity, rng.choice(kind.introduced))
    return by_pronoun(entity) if rng.random() < _PRONOUN_SHARE else by_name(entity, kind)


def _suited(phrasing: str, entity: Entity, kind: Kind, reference: Reference) -> Reference:
    """The reference, or the name where a pronoun would sound wrong."""
    if needs_name(phrasing) and not reference.by_name:
        return by_name(entity, kind)
    return reference


def _clause(entity: Entity, kind: Kind, values, reference: Reference, rng: random.Random) -> str:
    """One sentence for one to three attributes, without its full stop."""
    if len(values) == 1 and rng.random() < _POSSESSIVE_SHARE:
        attribute, value = values[0]
        phrasing = rng.choice(attribute.sentences)
        return fill(phrasing, entity, _suited(phrasing, entity, kind, reference), value)
    opener = ""
    if len(values) > 1 and rng.random() < _OPENER_SHARE:
        attribute, value = values[0]
        opener = fill(rng.choice(attribute.openers), entity, reference, value)
        values = values[1:]
    predicates = [
        fill(rng.choice(attribute.predicates), entity, reference, value)
        for attribute, value in values
    ]
    if entity.language == "zh":
        return opener + reference.subject + "，".join(predicates)
    predicate = predicates[-1]
    if len(predicates) > 1:
        predicate = ", ".join(predicates[:-1]) + " and " + predicate
    if not opener:
        return f"{reference.subject} {predicate}"
    if reference.by_name and rng.random() < 0.5:
        return f"{reference.subject}, {opener}, {predicate}"
    return f"{opener}, {reference.subject} {predicate}"
