"""The English kinds and their phrasings."""

from memory3_training.world.english.companies import COMPANY
from memory3_training.world.english.events import EVENT
from memory3_training.world.english.people import PERSON
from memory3_training.world.english.species import SPECIES
from memory3_training.world.english.towns import TOWN

KINDS = (PERSON, TOWN, COMPANY, SPECIES, EVENT)
