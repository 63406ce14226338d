"""An invented world: entities, articles about them, questions, talk. Standard library only.

world = World.generate(seed=1)
entity = world.split("train", kind="person")[0]
article(entity, rng)            # a new phrasing; world.article(entity) is the one in the bank
questions(entity, rng)          # one per attribute
conversation(entity, rng)       # with follow-up questions
small_talk(rng)
"""

from memory3_training.world.articles import article
from memory3_training.world.asking import follow_up, question, questions
from memory3_training.world.chat import Turn, conversation, small_talk
from memory3_training.world.entity import SPLITS, Entity, Question
from memory3_training.world.generate import Counts, World
from memory3_training.world.streams import stream

__all__ = [
    "SPLITS",
    "Counts",
    "Entity",
    "Question",
    "Turn",
    "World",
    "article",
    "conversation",
    "follow_up",
    "question",
    "questions",
    "small_talk",
    "stream",
]
