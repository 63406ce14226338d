"""Start values that make a small model learn to copy early.

Attention starts near "look for the same token and copy it": queries equal keys, the output projection
undoes the value projection. In a trial this shortened training several times over (training/README.md).
"""

import math

import torch
from torch import Tensor, nn

from memory3_training.model import MemoryModel

EMBEDDING_STD = 0.5
QUERY_SCALE = 0.6
OUTPUT_SCALE = 0.5
NOISE = 0.3
DOWN_SCALE = 0.2


def _orthogonal(like: Tensor) -> Tensor:
    return nn.init.orthogonal_(torch.empty_like(like))


def _noisy(weight: Tensor) -> Tensor:
    return (1 - NOISE) * weight + NOISE * torch.randn_like(weight) * weight.std()


@torch.no_grad()
def set_start_values(model: MemoryModel, seed: int) -> None:
    torch.manual_seed(seed)
    shape = model.shape
    std = EMBEDDING_STD
    nn.init.normal_(model.model.embed_tokens.weight, std=std)
    # Logits of unit scale although the embedding is tied and large.
    model.model.norm.weight.fill_(1 / (std * math.sqrt(shape.hidden)))
    group = shape.heads // shape.kv_heads
    for layer in model.model.layers:
        attention = layer.self_attn
        key = QUERY_SCALE * _orthogonal(attention.k_proj.weight)
        value = _orthogonal(attention.v_proj.weight)

        def of_heads(weight: Tensor) -> Tensor:
            by_head = weight.view(shape.kv_heads, shape.head_dim, -1)
            return by_head.repeat_interleave(group, 0).flatten(0, 1)

        attention.k_proj.weight.copy_(_noisy(key))
        attention.q_proj.weight.copy_(_noisy(of_heads(key)))
        attention.v_proj.weight.copy_(_noisy(value))
        attention.o_proj.weight.copy_(_noisy(OUTPUT_SCALE * of_heads(value).T))
        for linear in (layer.mlp.gate_proj, layer.mlp.up_proj, layer.mlp.down_proj):
            nn.init.normal_(linear.weight, std=1 / math.sqrt(linear.in_features))
        layer.mlp.down_proj.weight.mul_(DOWN_SCALE)
