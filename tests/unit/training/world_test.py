#!/usr/bin/env python3
"""Tests of the invented world: determinism, splits, what articles state, what questions ask."""

import hashlib
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unittest

TRAINING = pathlib.Path(__file__).resolve().parents[3] / "training"
sys.path.insert(0, str(TRAINING))

from memory3_training.world import (
    Counts,
    World,
    article,
    conversation,
    follow_up,
    question,
    questions,
)
from memory3_training.world.files import write_world
from memory3_training.world.schema import KINDS, kind_of

SMALL = Counts(500, 200, 200, 200, 200, 200, 100)
ROUNDS = 3  # phrasings tried of every entity


def fingerprint(world: World) -> str:
    digest = hashlib.sha256()
    for entity in world.entities:
        digest.update(repr(entity).encode())
        digest.update(world.article(entity).encode())
    return digest.hexdigest()


class WorldTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World.generate(7, SMALL)

    def test_equal_seeds_give_equal_worlds_in_every_process(self):
        program = (
            "import sys; sys.path[:0] = sys.argv[1:]; from world_test import *; "
            "print(fingerprint(World.generate(7, SMALL)))"
        )
        paths = [str(TRAINING), str(pathlib.Path(__file__).parent)]
        for hash_seed in ("1", "2"):
            result = subprocess.run(
                [sys.executable, "-c", program, *paths],
                env={"PYTHONHASHSEED": hash_seed},
                capture_output=True,
                text=True,
                check=True,
            )
            self.assertEqual(result.stdout.strip(), fingerprint(self.world))
        self.assertNotEqual(fingerprint(World.generate(8, SMALL)), fingerprint(self.world))

    def test_counts_and_splits_are_as_asked(self):
        self.assertEqual([entity.id for entity in self.world.entities], list(range(1600)))
        for (kind, language), count in {("person", "en"): 500, ("town", "zh"): 100}.items():
            self.assertEqual(len(self.world.split("held_out", kind, language)), count * 6 // 100)
            self.assertEqual(len(self.world.split("absent", kind, language)), count * 6 // 100)
        self.assertEqual({entity.split for entity in self.world.bank()}, {"train", "held_out"})

    def test_names_are_unique_and_share_parts(self):
        world = World.generate(7)
        entities = world.entities
        self.assertEqual(len({entity.name for entity in entities}), len(entities))
        trained = [one.name.split() for one in world.split("train", "person", "en")]
        firsts, lasts = ({name[part] for name in trained} for part in (0, 1))
        held_out = [one.name.split() for one in world.split("held_out", "person", "en")]
        shared = sum(first in firsts and last in lasts for first, last in held_out)
        self.assertGreater(shared, len(held_out) * 3 // 4)

    def test_values_come_from_sets_that_training_covers(self):
        world = World.generate(7)
        for kind, language in KINDS:
            trained = world.split("train", kind, language)
            for name in trained[0].attributes:
                values = {one.attributes[name] for one in trained}
                self.assertGreaterEqual(len(values), 25, (kind, language, name))
                for entity in world.split("held_out", kind, language):
                    value = entity.attributes[name]
                    self.assertTrue(value in values or value[0].isdigit(), (name, value))

    def test_training_text_names_no_entity_of_another_split(self):
        hidden = [one.name for one in self.world.entities if one.split != "train"]
        rng = random.Random(3)
        text = "\n".join(article(entity, rng) for entity in self.world.split("train"))
        for name in hidden:
            self.assertIsNone(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.ASCII), name)

    def test_articles_state_every_attribute_and_the_name(self):
        rng = random.Random(4)
        for entity in self.world.entities:
            for _ in range(ROUNDS):
                text = article(entity, rng)
                self.assertIn(entity.name, re.split(r"(?<=[.。])", text)[0])
                for value in entity.attributes.values():
                    self.assertIn(value.lower(), text.lower())
                self.assertNotRegex(text, r"[{}]|  |\.\.|。。|\bThe the\b|, [Tt]he The\b|\. [a-z]")
                self.assertTrue(text.endswith("。" if entity.language == "zh" else "."))

    def test_articles_of_one_entity_differ_and_use_pronouns(self):
        rng = random.Random(5)
        for kind, language in KINDS:
            entity = self.world.split("train", kind, language)[0]
            texts = {article(entity, rng) for _ in range(50)}
            self.assertGreater(len(texts), 40)
        woman = next(
            one for one in self.world.entities if one.pronoun == "she" and one.language == "en"
        )
        texts = [article(woman, rng) for _ in range(100)]
        self.assertGreater(sum("She " in text or "Her " in text for text in texts), 60)
        self.assertFalse(any(re.search(r"\b([Hh]e|[Hh]is|[Ii]ts?)\b", text) for text in texts))

    def test_every_phrasing_of_a_value_holds_the_value_once(self):
        for kind in KINDS.values():
            self.assertGreaterEqual(len(kind.attributes), 4)
            for attribute in kind.attributes:
                for text in (*attribute.predicates, *attribute.sentences, *attribute.openers):
                    self.assertEqual(text.count("{v}"), 1, text)
                for text in attribute.questions:
                    self.assertNotIn("{v}", text)
                texts = (*attribute.predicates, *attribute.sentences, *attribute.questions)
                self.assertEqual(len(texts), len(set(texts)), f"{attribute.name}: a phrasing twice")

    def test_questions_name_the_entity_and_have_its_value_as_answer(self):
        rng = random.Random(6)
        for entity in self.world.bank():
            asked = questions(entity, rng)
            self.assertEqual([one.attribute for one in asked], list(entity.attributes))
            for one in asked:
                self.assertEqual(one.entity_id, entity.id)
                self.assertIn(entity.name, one.text)
                self.assertEqual(one.answer, entity.attributes[one.attribute])
                self.assertIn(one.answer, one.sentence)
                self.assertIn(entity.name.lower(), one.sentence.lower())
                self.assertNotRegex(one.text, r"[{}]|[Tt]he The\b")

    def test_questions_about_attributes_of_a_kind_differ(self):
        for kind in KINDS.values():
            forms = [form for attribute in kind.attributes for form in attribute.questions]
            self.assertEqual(len(forms), len(set(forms)))

    def test_of_absent_entities_nothing_is_known(self):
        rng = random.Random(8)
        for entity in self.world.split("absent"):
            for one in questions(entity, rng):
                self.assertEqual(one.answer, kind_of(entity).unknown)
                self.assertEqual(one.sentence, kind_of(entity).unknown)
                self.assertIn(entity.name, one.text)

    def test_follow_up_questions_say_he_she_or_it(self):
        rng = random.Random(9)
        for entity in self.world.entities[:: len(self.world.entities) // 200]:
            for attribute in entity.attributes:
                text = follow_up(entity, attribute, rng).text
                self.assertNotIn(entity.name, text)
                self.assertNotRegex(text, r"\b(of|in) (it|him|her)\b(?! free time)")
            turns = conversation(entity, rng)
            self.assertEqual(
                [turn.role for turn in turns], ["user", "assistant"] * (len(turns) // 2)
            )
            self.assertIn(entity.name, turns[0].text)
            self.assertTrue(all(entity.name not in turn.text for turn in turns[2::2]))

    def test_english_spelling_follows_the_name_and_the_value(self):
        rng = random.Random(10)
        for entity in self.world.bank():
            text = article(entity, rng)
            self.assertNotRegex(text, r"\ba [aeio]|\ban [bcdfghjklmnpqrstuvwxyz]|s's\b", text)
            for attribute in entity.attributes:
                self.assertNotRegex(question(entity, attribute, rng).text, r"s's\b")

    def test_files_hold_the_bank_and_what_is_asked_about_it(self):
        with tempfile.TemporaryDirectory() as folder:
            written = write_world(self.world, pathlib.Path(folder))
            lines = {
                file.name: [json.loads(line) for line in file.read_text("utf-8").splitlines()]
                for file in written
            }
            self.assertEqual([len(one) for one in lines.values()], list(written.values()))
        bank = self.world.bank()
        for line, entity in zip(lines["encyclopaedia.jsonl"], bank, strict=True):
            self.assertEqual(
                (line["id"], line["title"], line["text"], line["split"]),
                (str(entity.id), entity.name, self.world.article(entity), entity.split),
            )
        asked = {split: set() for split in ("train", "held_out", "absent")}
        for line in lines["questions.jsonl"]:
            entity = self.world.entities[line["entity_id"]]
            self.assertEqual(entity.split, line["split"])
            known = entity.attributes[line["attribute"]]
            unknown = kind_of(entity).unknown
            self.assertEqual(line["answer"], unknown if entity.split == "absent" else known)
            asked[entity.split].add((entity.id, line["attribute"]))
        for split in ("held_out", "absent"):
            expected = sum(len(entity.attributes) for entity in self.world.split(split))
            self.assertEqual(len(asked[split]), expected)
        self.assertEqual(
            len({entity for entity, _ in asked["train"]}), len(self.world.split("held_out"))
        )

    def test_impossible_counts_are_an_error(self):
        for counts, message in (
            (dict(towns=200_000), "at most"),
            (dict(species=20_000), "at most"),
            (dict(towns=0), "nothing to choose"),
            (dict(people=-1), "negative"),
            (dict(held_out=0.5, absent=0.5), "below 1"),
        ):
            with self.assertRaisesRegex(ValueError, message):
                World.generate(1, Counts(**counts))


if __name__ == "__main__":
    unittest.main()
