"""The kinds by name and language."""

from memory3_training.world import chinese, english
from memory3_training.world.entity import Entity
from memory3_training.world.kinds import Kind

KINDS: dict[tuple[str, str], Kind] = {
    (kind.name, kind.language): kind for kind in (*english.KINDS, *chinese.KINDS)
}


def kind_of(entity: Entity) -> Kind:
    return KINDS[entity.kind, entity.language]
