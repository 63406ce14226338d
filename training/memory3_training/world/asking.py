"""Questions about attributes, and their answers."""

import random

from memory3_training.world.entity import Entity, Question
from memory3_training.world.render import by_name, by_pronoun, fill, needs_name, sentence
from memory3_training.world.schema import kind_of


def question(entity: Entity, attribute: str, rng: random.Random) -> Question:
    """One question about one attribute, in one of its forms."""
    kind = kind_of(entity)
    form = rng.choice(kind.attribute(attribute).questions)
    text = sentence(fill(form, entity, by_name(entity, kind)), entity.language)
    answer, full = _answer(entity, attribute)
    return Question(entity.id, attribute, text, answer, full, entity.language)


def questions(entity: Entity, rng: random.Random) -> list[Question]:
    """One about each attribute, in the order of the kind."""
    return [question(entity, attribute, rng) for attribute in entity.attributes]


def follow_up(entity: Entity, attribute: str, rng: random.Random) -> Question:
    """A question that says "she" or "it": for a turn after one that named the entity."""
    kind = kind_of(entity)
    forms = [form for form in kind.attribute(attribute).questions if not needs_name(form)]
    text = sentence(fill(rng.choice(forms), entity, by_pronoun(entity)), entity.language)
    answer, full = _answer(entity, attribute)
    return Question(entity.id, attribute, text, answer, full, entity.language)


def _answer(entity: Entity, attribute: str) -> tuple[str, str]:
    kind = kind_of(entity)
    if entity.split == "absent":
        return kind.unknown, kind.unknown
    value = entity.attributes[attribute]
    # One fixed phrasing, the attribute's first: an answer is no place for variety.
    predicate = fill(kind.attribute(attribute).predicates[0], entity, by_name(entity, kind), value)
    joint = "" if entity.language == "zh" else " "
    return value, sentence(by_name(entity, kind).subject + joint + predicate, entity.language)
