"""Talk that is not about the encyclopaedia, and talk that goes on about it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from memory3_training.world.asking import follow_up, question
from memory3_training.world.entity import Entity


@dataclass(frozen=True)
class Turn:
    role: str  # "user" or "assistant"
    text: str


_SMALL_TALK: dict[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]] = {
    "en": (
        (
            ("Hello!", "Hi.", "Good morning.", "Hello there.", "Good evening."),
            (
                "Hello! What would you like to look up?",
                "Hello! Ask me about a person, a town or a company.",
            ),
        ),
        (
            ("Who are you?", "What are you?", "What is your name?", "Tell me about yourself."),
            (
                "I am a small language model. I know little by heart and look things up in my "
                "memory.",
            ),
        ),
        (
            ("What can you do?", "How can you help me?", "What do you know?"),
            (
                "I answer questions about an invented world: its people, towns, companies, "
                "species and events.",
            ),
        ),
        (
            ("Thank you.", "Thanks!", "Thanks a lot.", "That helps, thank you."),
            ("You are welcome.", "Gladly."),
        ),
        (("Goodbye.", "Bye!", "See you."), ("Goodbye!",)),
        (
            ("How are you?", "How do you do?"),
            ("I am well, thank you. What would you like to know?",),
        ),
        (("Are you a person?", "Are you human?"), ("No, I am a small language model.",)),
        (
            ("Do you make things up?", "Can I trust you?"),
            ("I say what my memories say. When they say nothing, I tell you that I do not know.",),
        ),
        (
            ("Where does your knowledge come from?", "How do you remember things?"),
            ("From memories: short texts that were read once and are looked up while I write.",),
        ),
    ),
    "zh": (
        (("你好！", "你好。", "早上好。", "晚上好。"), ("你好！你想查什么？",)),
        (
            ("你是谁？", "你是什么？", "你叫什么名字？"),
            ("我是一个小型语言模型，靠查阅记忆来回答问题。",),
        ),
        (("你会做什么？", "你能帮我什么？"), ("我回答关于一个虚构世界的问题。",)),
        (("谢谢。", "谢谢你！"), ("不客气。",)),
        (("再见。", "再见！"), ("再见！",)),
    ),
}


def small_talk(rng: random.Random, language: str = "en") -> list[Turn]:
    """A greeting, a question about the assistant or the like: one to three exchanges."""
    exchanges = rng.sample(_SMALL_TALK[language], rng.randint(1, 3))
    turns = []
    for asked, answered in exchanges:
        turns += [Turn("user", rng.choice(asked)), Turn("assistant", rng.choice(answered))]
    return turns


def conversation(entity: Entity, rng: random.Random, full: bool = False) -> list[Turn]:
    """Two or three questions about one entity; those after the first say "he", "she" or "it".

    Answers are bare values, or full sentences when `full`.
    """
    asked: Sequence[str] = rng.sample(list(entity.attributes), rng.randint(2, 3))
    turns = []
    for number, attribute in enumerate(asked):
        make = follow_up if number else question
        one = make(entity, attribute, rng)
        turns += [Turn("user", one.text), Turn("assistant", one.sentence if full else one.answer)]
    return turns
