"""The weighted loss of a batch."""

import torch
from torch import Tensor
from torch.nn import functional as F

from memory3_training.batches import Batch
from memory3_training.model import MemoryModel


def hidden_states(model: MemoryModel, batch: Batch, window: int = 0) -> Tensor:
    """Final hidden states (B, T, hidden), with memory where the batch has references."""
    if batch.references is None:
        return model.forward_plain(batch.ids, window)
    prefix = model.encode_prefix()
    memories = model.encode_references(batch.references, prefix, batch.kept_tokens)
    return model.forward_memory(batch.ids, prefix, memories, batch.attached)


def weighted_loss(model: MemoryModel, hidden: Tensor, batch: Batch, sample: float,
                  generator: torch.Generator | None) -> Tensor:
    """Cross entropy, weighted. Of tokens of a weight up to 1 only a share `sample` is taken, which in
    the mean changes nothing and spares most of the product with the vocabulary."""
    weights = batch.weights[:, 1:]
    if sample < 1:
        drawn = torch.rand(weights.shape, generator=generator).to(weights.device) < sample
        weights = torch.where(weights > 1, weights, weights * drawn / sample)
    taken = weights > 0
    logits = model.logits(hidden[:, :-1][taken]).float()
    losses = F.cross_entropy(logits, batch.ids[:, 1:][taken], reduction="none")
    return (losses * weights[taken]).sum() / weights[taken].sum()
