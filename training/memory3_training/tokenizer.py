"""Trains the project's tokenizer, and wraps it for training. Needs the `tokenizers` package.

    python3 -m memory3_training.tokenizer --seed 1 --out DIR

Byte-level BPE, written as tokenizer.json and tokenizer_config.json with a chat template, as
Hugging Face lays them out and as the engine loads them.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers

from memory3_training.cleaning.documents import read_documents
from memory3_training.world import World, article, conversation, questions, small_talk, stream
from memory3_training.world.arguments import add_world_arguments, world_from

PAD, BOS, EOS = "<pad>", "<s>", "</s>"  # ids 0, 1, 2

# Words with the space before them. Chinese characters one by one: without spaces, merges across
# words would spell the same name differently in every sentence. Numbers in pairs of digits from the
# left, so that a year is two tokens, the same two wherever it stands.
_PIECES = r"\p{Han}|'s| ?(?:(?!\p{Han})\p{L})+| ?\p{N}{1,2}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

# The same plain words that training documents are made of; a system message goes before them, as
# articles do. A space after its newline, so that the next word is the token that begins a line there.
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ 'Question: ' + message['content'] + '\\nAnswer:' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] + eos_token }}"
    "{% else %}{{ message['content'] + '\\n ' }}"
    "{% endif %}"
    "{% endfor %}"
)

_VOCAB = 6144  # with fewer, the default world's names and values no longer are one token each
_TALKS = 2000
_ARTICLE_ROUNDS = 2
# Beside their sentences, names and values that many entities share are seen alone so often that
# most become one token: the fewer tokens a fact has, the more facts a memory's kept tokens hold.
_COMMON = 10
_WORD_ROUNDS = 100
_MIN_VOCAB = 3 + 256  # special tokens and bytes


class TextTokenizer:
    """Text to ids and back, without special tokens in either direction.

    As the tokenizer does, `encode` puts a space before the first word, so that a name has the same
    ids wherever it stands: texts encoded one by one and joined are the ids of the texts joined by
    single spaces. "Answer:" and "red" make "Answer: red".
    """

    def __init__(self, folder: Path) -> None:
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.pad, self.bos, self.eos = map(self._tokenizer.token_to_id, (PAD, BOS, EOS))
        self.vocab_size: int = self._tokenizer.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text.removeprefix(" "), add_special_tokens=False).ids

    def encode_all(self, texts: list[str]) -> list[list[int]]:
        """On all cores."""
        plain = [text.removeprefix(" ") for text in texts]
        encoded = self._tokenizer.encode_batch(plain, add_special_tokens=False)
        return [one.ids for one in encoded]

    def prefix_ids(self, reference_prefix: str) -> list[int]:
        """Of "<s>Reference:", whose "<s>" is the token, not three characters."""
        text = reference_prefix.removeprefix(BOS)
        return ([self.bos] if text != reference_prefix else []) + self.encode(text)

    def decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=True)


def _common_words(world: World) -> list[str]:
    """Names and values that many entities share; what is rare is better made of pieces."""
    words: Counter[str] = Counter()
    for entity in world.split("train"):
        words.update(entity.name.split(" "))
        words.update(entity.attributes.values())
    return sorted(word for word, count in words.items() if count >= _COMMON)


def texts_of(world: World) -> Iterator[str]:
    """What training documents are made of: of the training entities alone."""
    rng = stream(world.seed, "tokenizer")
    yield from _common_words(world) * _WORD_ROUNDS
    yield from [f"{pair:02}{pair:02}" for pair in range(100)] * _WORD_ROUNDS
    for entity in world.split("train"):
        for _ in range(_ARTICLE_ROUNDS):
            yield "Reference:" + article(entity, rng) + "\n"
        for one in questions(entity, rng):
            yield f"Question: {one.text}\nAnswer: {one.answer}"
        talk = conversation(entity, rng, full=True)
        yield "".join(
            f"Question: {a.text}\nAnswer: {b.text}" for a, b in zip(talk[::2], talk[1::2])
        )
    for _ in range(_TALKS):
        for language in ("en", "zh"):
            yield "\n".join(turn.text for turn in small_talk(rng, language))


def train(texts: Iterable[str], vocab: int) -> tokenizers.Tokenizer:
    """The same tokenizer for the same texts in the same order."""
    if vocab < _MIN_VOCAB:
        raise ValueError(f"--vocab: must be at least {_MIN_VOCAB}, got {vocab}")
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Prepend(" ")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=[PAD, BOS, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    bos = tokenizer.token_to_id(BOS)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, bos)]
    )
    return tokenizer


def save(tokenizer: tokenizers.Tokenizer, folder: Path, max_length: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": EOS,
        "pad_token": PAD,
        "model_max_length": max_length,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    text = json.dumps(config, indent=2) + "\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(prog="memory3_training.tokenizer", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_world_arguments(parser)
    parser.add_argument(
        "--vocab", type=int, default=_VOCAB, help=f"number of tokens (default {_VOCAB})"
    )
    parser.add_argument("--max_length", type=int, default=2048, help="the model's context")
    parser.add_argument(
        "--texts", type=Path, nargs="*", default=[], help="further .txt, .jsonl files"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder, made if it is not there")
    arguments = parser.parse_args()
    try:
        world = world_from(arguments)
        further = [one["text"] for file in arguments.texts for one in read_documents(file)]
        tokenizer = train((*texts_of(world), *further), arguments.vocab)
    except (ValueError, OSError) as error:
        print(f"memory3_training.tokenizer: {error}", file=sys.stderr)
        return 2
    save(tokenizer, arguments.out, arguments.max_length)
    print(f"{arguments.out}: {tokenizer.get_vocab_size()} tokens")
    return 0


if __name__ == "__main__":
    sys.exit(main())
