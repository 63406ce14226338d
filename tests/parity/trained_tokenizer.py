#!/usr/bin/env python3
"""Trains the project's tokenizer on a small world and checks that the engine reads it alike.

    trained_tokenizer.py DUMP_PROGRAM RENDER_PROGRAM WORK_DIR

Ids, decoded and streamed text against Hugging Face's `tokenizers`; the chat template against the
pieces that training documents are made of. Exits with 77 (skipped) when the package cannot be had.
"""

import json
import random
import subprocess
import sys
import unittest
from pathlib import Path

from tokenizers_venv import enter_venv

ROOT = Path(__file__).resolve().parents[2]
DUMP, RENDER, WORK = map(Path, sys.argv[1:4])
WORK.mkdir(parents=True, exist_ok=True)
enter_venv(WORK)
sys.path.insert(0, str(ROOT / "training"))

import tokenizers

from memory3_training import tokenizer as trained
from memory3_training.world import Counts, World, article, questions, small_talk

VOCAB = 2000
LONGEST_REFERENCE = 128
WORLD = World.generate(5, Counts(300, 150, 150, 150, 150, 100, 60))
FOLDER = WORK / "trained"
ODD = [
    "",
    " ",
    "  two",
    "a\n\nb",
    "1",
    "12345",
    "in 1931 and 28,000",
    "naïve 😀 ДОМ",
    "</s>x",
    "它的1931年。",
]


def chats(rng: random.Random) -> list[list[dict[str, str]]]:
    talk = [[vars(turn) for turn in small_talk(rng, "en")] for _ in range(20)]
    return [[{"role": one["role"], "content": one["text"]} for one in turns[:-1]] for turns in talk]


class TrainedTokenizerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        trained.save(trained.train(trained.texts_of(WORLD), VOCAB), FOLDER, max_length=512)
        cls.hf = tokenizers.Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
        cls.ours = trained.TextTokenizer(FOLDER)
        cls.rng = random.Random(11)
        cls.texts = list(ODD)
        for entity in WORLD.entities[::3]:
            cls.texts.append(article(entity, cls.rng))
            cls.texts += [one.text for one in questions(entity, cls.rng)]

    def dump(self, requests: list[dict]) -> list[dict]:
        lines = "\n".join(json.dumps(one) for one in requests)
        command = [str(DUMP), str(FOLDER / "tokenizer.json")]
        run = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in run.stdout.split("\n") if line]

    def test_special_tokens_come_first(self):
        self.assertEqual((self.ours.pad, self.ours.bos, self.ours.eos), (0, 1, 2))
        self.assertEqual(self.ours.vocab_size, VOCAB)

    def test_the_engine_encodes_and_decodes_alike(self):
        for special in (False, True):
            request = {"add_special": special, "parse_special": True}
            answers = self.dump([{"text": text, **request} for text in self.texts])
            for text, answer in zip(self.texts, answers, strict=True):
                ids = self.hf.encode(text, add_special_tokens=special).ids
                self.assertEqual(answer["ids"], ids, text)
                decoded = self.hf.decode(ids, skip_special_tokens=True)
                self.assertEqual(answer["decoded"], decoded, text)
                self.assertEqual(answer["streamed"], decoded, text)
                if "<" not in text:
                    self.assertEqual(decoded, text)

    def test_names_and_years_have_the_same_ids_everywhere(self):
        name = WORLD.split("train", "person", "en")[0].name
        ids = self.ours.encode(name)
        asked = self.ours.encode(f"Who employed {name}?")
        self.assertEqual(asked[-1 - len(ids) : -1], ids)
        self.assertEqual(self.ours.encode("in 1931")[-2:], self.ours.encode("1931"))
        self.assertEqual(len(self.ours.encode("1931")), 2)
        self.assertEqual(self.ours.encode(" " + name), ids)
        self.assertEqual(self.ours.encode_all([name, " " + name]), [ids, ids])

    def test_reference_prefix_is_plain_text(self):
        tokens = [self.hf.id_to_token(token) for token in self.ours.encode("Reference:")]
        self.assertEqual(tokens, ["ĠReference", ":"])

    def test_every_article_fits_a_reference(self):
        for entity in WORLD.entities:
            length = len(self.ours.encode(article(entity, self.rng)))
            self.assertLessEqual(length, LONGEST_REFERENCE)

    def test_chat_template_gives_the_pieces_of_training(self):
        conversations = chats(self.rng)
        rendered = self.render(conversations)
        answers = self.dump(
            [{"text": text, "add_special": False, "parse_special": True} for text in rendered]
        )
        for turns, answer in zip(conversations, answers, strict=True):
            ids = [self.ours.bos]
            for turn in turns:
                if turn["role"] == "user":
                    ids += self.ours.encode(f"Question: {turn['content']}\nAnswer:")
                else:
                    ids += self.ours.encode(turn["content"]) + [self.ours.eos]
            self.assertEqual(answer["ids"], ids)

    def render(self, conversations: list[list[dict[str, str]]]) -> list[str]:
        config = json.loads((FOLDER / "tokenizer_config.json").read_text())
        lines = []
        for turns in conversations:
            lines.append(
                json.dumps(
                    {
                        "template": config["chat_template"],
                        "messages": turns,
                        "add_generation_prompt": True,
                        "bos_token": config["bos_token"],
                        "eos_token": config["eos_token"],
                    }
                )
            )
        text = "\n".join(lines) + "\n"
        run = subprocess.run([str(RENDER)], input=text, capture_output=True, text=True, check=True)
        return [json.loads(line)["text"] for line in run.stdout.split("\n") if line]


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
