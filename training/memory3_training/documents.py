"""Documents of training, as token ids with a weight for every token that is to be predicted."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from memory3_training.invented import Inventor
from memory3_training.world import Entity, article, follow_up, question, small_talk

TEXT_WEIGHT = 1.0
QUESTION_WEIGHT = 0.25  # names in questions cannot be guessed
COPY_WEIGHT = 8.0
ANSWER_WEIGHT = 16.0
END_WEIGHT = 4.0  # of the end of an answer
_LIST_LINE = "{}\n"


@dataclass
class Tokens:
    """weights[i] is how much it matters to predict ids[i] from what is before it."""

    ids: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def add(self, ids: Sequence[int], weight: float) -> None:
        self.ids += ids
        self.weights += [weight] * len(ids)

    def extend(self, other: "Tokens") -> None:
        self.ids += other.ids
        self.weights += other.weights

    def cut(self, length: int) -> "Tokens":
        return Tokens(self.ids[:length], self.weights[:length])

    def __len__(self) -> int:
        return len(self.ids)


class Writer:
    """Turns entities into tokens; the same texts that the chat template makes of a conversation."""

    def __init__(self, tokenizer, inventor: Inventor) -> None:
        self.tokenizer = tokenizer
        self.inventor = inventor
        self.bos, self.eos = tokenizer.bos, tokenizer.eos

    def reference(self, entity: Entity, rng: random.Random, limit: int) -> list[int]:
        return self.tokenizer.encode(article(entity, rng))[:limit]

    def turn(self, asked: str, answered: str, weight: float = ANSWER_WEIGHT) -> Tokens:
        tokens = Tokens()
        tokens.add(self.tokenizer.encode(f"Question: {asked}\nAnswer:"), QUESTION_WEIGHT)
        tokens.add(self.tokenizer.encode(" " + answered), weight)
        tokens.add([self.eos], min(weight, END_WEIGHT))
        return tokens

    def asking(self, entity: Entity, rng: random.Random, again: bool = False) -> Tokens:
        """A question about an attribute and its answer; `again`: by pronoun, after one by name."""
        attribute = rng.choice(list(entity.attributes))
        one = (follow_up if again else question)(entity, attribute, rng)
        return self.turn(one.text, one.answer)

    def talk(self, rng: random.Random) -> Tokens:
        tokens, turns = Tokens(), small_talk(rng)
        for asked, answered in zip(turns[::2], turns[1::2], strict=True):
            tokens.extend(self.turn(asked.text, answered.text, TEXT_WEIGHT))
        return tokens

    def biography(self, group: Sequence[Entity], length: int, unknown: float,
                  rng: random.Random) -> Tokens:
        """The group's articles, then questions about them until the document is full."""
        tokens = Tokens([self.bos], [0.0])
        for entity in group:
            tokens.add(self.tokenizer.encode(article(entity, rng) + "\n"), TEXT_WEIGHT)
        while len(tokens) < length:
            if rng.random() < unknown:
                tokens.extend(self.asking(self.inventor.absent_from(group, rng), rng))
            else:
                tokens.extend(self.asking(rng.choice(group), rng))
        return tokens.cut(length)

    def lists(self, length: int, rng: random.Random) -> Tokens:
        """Names, or names and values, twice: copying is the first thing to learn."""
        tokens = Tokens([self.bos], [0.0])
        while len(tokens) < length:
            words = rng.sample(self.inventor.words, rng.randint(4, 12))
            if rng.random() < 0.5:
                lines = [f"{first} {last}" for first, last in zip(words[::2], words[1::2])]
            else:
                lines = [f"{name}: {rng.choice(list(self.inventor.one(rng).attributes.values()))}"
                         for name in words]
            for weight in (0.0, COPY_WEIGHT):
                for line in lines:
                    tokens.add(self.tokenizer.encode(_LIST_LINE.format(line)), weight)
                rng.shuffle(lines) if ": " in lines[0] else None
        return tokens.cut(length)
