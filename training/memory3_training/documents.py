"""Documents of training, as token ids with a weight for every token that is to be predicted."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from memory3_training.invented import Inventor
from memory3_training.world import Entity, article, follow_up, question, questions, small_talk
from memory3_training.world.render import by_name, fill, sentence
from memory3_training.world.schema import kind_of

TEXT_WEIGHT = 1.0
QUESTION_WEIGHT = 0.25
# Of the parts of a name after its first, in questions about what is attached: they can be read there,
# and to continue a name is what has to be learned before looking up by it.
NAME_WEIGHT = 8.0
ANSWER_WEIGHT = 16.0
SENTENCE_WEIGHT = 2.0  # of an answer's words that are neither name nor value
END_WEIGHT = 4.0  # of the end of an answer
RETOLD_WEIGHT = 4.0  # of all that is said once more
# Between a name and its value in lists, from nothing to several words.
BETWEEN = ("", ":", " is", " was a", " came from", " was born in", " spent childhood in",
            " made a living as a", " grew up in the town")


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

    def text(self, entity: Entity, rng: random.Random) -> str:
        """Its article; of an entity of which not all is known plain sentences, each with its name."""
        kind = kind_of(entity)
        if len(entity.attributes) == len(kind.attributes):
            return article(entity, rng)
        name = by_name(entity, kind)
        joint = "" if entity.language == "zh" else " "
        said = []
        for attribute, value in rng.sample(list(entity.attributes.items()), len(entity.attributes)):
            predicate = rng.choice(kind.attribute(attribute).predicates)
            clause = name.subject + joint + fill(predicate, entity, name, value)
            said.append(sentence(clause, entity.language))
        return joint.join(said)

    def reference(self, entity: Entity, rng: random.Random, limit: int) -> list[int]:
        return self.tokenizer.encode(self.text(entity, rng))[:limit]

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
        tokens = self.turn(one.text, one.answer)
        if entity.split != "absent":
            self._weigh_name(tokens, self.tokenizer.encode(entity.name))
        return tokens

    @staticmethod
    def _weigh_name(tokens: Tokens, name: list[int]) -> None:
        for begin in range(len(tokens) - len(name)):
            if tokens.ids[begin:begin + len(name)] == name:
                tokens.weights[begin + 1:begin + len(name)] = [NAME_WEIGHT] * (len(name) - 1)
                return

    def statement(self, entity: Entity, rng: random.Random) -> Tokens:
        """A sentence that says one attribute by name: easier to complete from memory than to answer a
        question, since name and value stand as close together as in an article."""
        kind = kind_of(entity)
        attribute, value = rng.choice(list(entity.attributes.items()))
        name = by_name(entity, kind)
        predicate = rng.choice(kind.attribute(attribute).predicates)
        joint = "" if entity.language == "zh" else " "
        said = name.subject + joint + fill(predicate, entity, name, value)
        tokens = Tokens()
        tokens.add(self.tokenizer.encode(sentence(said, entity.language)), QUESTION_WEIGHT)
        self._weigh_name(tokens, self.tokenizer.encode(entity.name))
        end = len(tokens)
        part = self.tokenizer.encode(value)
        for begin in range(end - len(part), 0, -1):
            if tokens.ids[begin:begin + len(part)] == part:
                tokens.weights[begin:begin + len(part)] = [ANSWER_WEIGHT] * len(part)
                break
        return tokens

    def reverse(self, entity: Entity, rng: random.Random) -> Tokens:
        """Who it is that something is said of: makes what a memory keeps of a value carry the name."""
        kind = kind_of(entity)
        attribute, value = rng.choice(list(entity.attributes.items()))
        predicate = rng.choice(kind.attribute(attribute).predicates)
        who = {"zh": "谁"}.get(entity.language, "Who " if entity.kind == "person" else "What ")
        asked = who + fill(predicate, entity, by_name(entity, kind), value)
        return self.turn(asked + ("？" if entity.language == "zh" else "?"), entity.name)

    def in_a_sentence(self, entity: Entity, rng: random.Random) -> Tokens:
        """The answer repeats the name: makes the place of the answer carry it."""
        one = question(entity, rng.choice(list(entity.attributes)), rng)
        wish = "用整句回答。" if entity.language == "zh" else " Answer in a sentence."
        tokens = self.turn(one.text + wish, one.sentence, SENTENCE_WEIGHT)
        begin = tokens.weights.index(SENTENCE_WEIGHT)
        for part in (entity.name, one.answer):
            ids = self.tokenizer.encode(part)
            for at in range(begin, len(tokens) - len(ids)):
                if tokens.ids[at:at + len(ids)] == ids:
                    tokens.weights[at:at + len(ids)] = [ANSWER_WEIGHT] * len(ids)
                    break
        return tokens

    def aside(self, entity: Entity, rng: random.Random) -> Tokens:
        """One of the above: what teaches to bind a name and an attribute to each other."""
        form = rng.choice((self.statement, self.reverse, self.reverse, self.in_a_sentence))
        return form(entity, rng)

    def retelling(self, entity: Entity, rng: random.Random) -> Tokens:
        """All that is known of it in plain sentences: text that goes on from what is remembered."""
        said = [one.sentence for one in questions(entity, rng)]
        tokens = Tokens()
        tokens.add(self.tokenizer.encode(("" if entity.language == "zh" else " ").join(said)), RETOLD_WEIGHT)
        return tokens

    def talk(self, rng: random.Random) -> Tokens:
        tokens, turns = Tokens(), small_talk(rng)
        for asked, answered in zip(turns[::2], turns[1::2], strict=True):
            tokens.extend(self.turn(asked.text, answered.text, TEXT_WEIGHT))
        return tokens

    def biography(self, group: Sequence[Entity], length: int, unknown: float, statements: float,
                  rng: random.Random) -> Tokens:
        """The group's articles, then questions and statements about them until it is full."""
        tokens = Tokens([self.bos], [0.0])
        for entity in group:
            tokens.add(self.tokenizer.encode(self.text(entity, rng) + "\n"), TEXT_WEIGHT)
        while len(tokens) < length:
            if rng.random() < unknown:
                tokens.extend(self.asking(self.inventor.absent_from(group, rng), rng))
            elif rng.random() < statements:
                tokens.extend(self.aside(rng.choice(group), rng))
            else:
                tokens.extend(self.asking(rng.choice(group), rng))
        return tokens.cut(length)

    def retold(self, length: int, rng: random.Random) -> Tokens:
        """Entities told once more, half of them behind their article."""
        tokens = Tokens([self.bos], [0.0])
        while len(tokens) < length:
            entity = self.inventor.one(rng)
            if rng.random() < 0.5:
                tokens.add(self.tokenizer.encode(self.text(entity, rng) + "\n"), TEXT_WEIGHT)
            tokens.extend(self.retelling(entity, rng))
        return tokens.cut(length)

    def lists(self, length: int, confused: float, rng: random.Random,
              distances: int = len(BETWEEN)) -> Tokens:
        """Names and values, again and again in other orders: to look a value up by its name is the
        first thing to learn. The more words stand between the two the harder it is, and a model that
        has not learned it at short distance does not learn it from articles: `distances` says how
        many of BETWEEN are used."""
        tokens = Tokens([self.bos], [0.0])
        while len(tokens) < length:
            count = rng.randint(3, 7)
            names = self.inventor.names(count, rng, confused) if rng.random() < 0.7 else \
                rng.sample(self.inventor.words, count)
            values = self.inventor.values(count, rng)
            lines = list(zip(names, values))
            between = rng.choice(BETWEEN[:distances])
            for weight in (0.0, ANSWER_WEIGHT, ANSWER_WEIGHT):
                for name, value in lines:
                    tokens.add(self.tokenizer.encode(name + between), 0.0)
                    tokens.add(self.tokenizer.encode(value), weight)
                    tokens.add(self.tokenizer.encode(".")[-1:], 0.0)
                rng.shuffle(lines)
                between = rng.choice((between, rng.choice(BETWEEN[:distances])))
        return tokens.cut(length)
