"""Batches of ordinary texts, plain or with the references that retrieval found for their chunks."""

from collections.abc import Sequence

import torch

from memory3_training.batches import Batch, references_of, stack
from memory3_training.config import MemorySettings
from memory3_training.documents import TEXT_WEIGHT, Tokens
from memory3_training.model import Attached
from memory3_training.paired import Paired
from memory3_training.world import stream


class TextBatcher:
    """A batch is a function of seed and step, as those of the invented world are."""

    def __init__(self, texts: Sequence[Paired], memory: MemorySettings) -> None:
        if not texts:
            raise ValueError("no texts to train on")
        self.texts, self.memory = texts, memory

    def plain(self, rows: int, length: int, seed: int, step: int) -> Batch:
        documents = []
        for row in range(rows):
            rng = stream(seed, "plain text", step, row)
            ids = rng.choice(self.texts).ids
            begin = rng.randrange(max(1, len(ids) - length // 2))
            documents.append(self._tokens(ids[begin:begin + length]))
        return Batch(*stack(documents))

    def with_memory(self, rows: int, chunks: int, seed: int, step: int) -> Batch:
        """Chunk c sees its own reference and those of the chunks before it, memories_per_chunk in all."""
        documents, references, sets = [], [], []
        for row in range(rows):
            one = stream(seed, "paired text", step, row).choice(self.texts)
            documents.append(self._tokens(one.ids[:chunks * self.memory.chunk_tokens]))
            numbers = []
            for reference in one.references[:chunks]:
                numbers.append(len(references) if reference else -1)
                references += [reference] if reference else []
            sets.append(numbers + [-1] * (chunks - len(numbers)))
        ids, weights = stack(documents)
        chunk = torch.arange(ids.shape[1]) // self.memory.chunk_tokens
        behind = chunk[:, None] - torch.arange(chunks)
        visible = ((behind >= 0) & (behind < self.memory.memories_per_chunk)).expand(rows, -1, -1)
        return Batch(ids, weights, references_of(references or [[0]]), Attached(torch.tensor(sets), visible))

    @staticmethod
    def _tokens(ids: Sequence[int]) -> Tokens:
        return Tokens(list(ids), [0.0] + [TEXT_WEIGHT] * (len(ids) - 1))
