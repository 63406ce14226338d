"""Start values that make a small model learn to copy, and to look up by name, early.

Attention starts near "look for the same token and copy it": queries equal keys, the output projection
undoes the value projection. On top of that the first layer begins with heads that look at the token before
and the one before that, and the two layers above with a head that looks for places where the same two tokens
came before, and copies what stands there: induction, which nearly all that this model learns is built from.
Left to itself it takes longer to appear than all the rest of the training (training/README.md).
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

# Of the heads that look back. The embedding has a part that all tokens share, as long as half of the rest:
# the same query and key everywhere, so that only the rotation, the distance, decides.
SHARED_NORM = 0.5
LOOK_BACK = 2  # heads of the first layer: 1 and 2 tokens back
POINTED = 7.0  # length of their queries and keys in each pair of dimensions
COPIED_GAIN = 2.0  # how loud they write what they see
INDUCTION_LAYERS = (1, 2)
MATCH = 12.0  # score of a place where the same token came before
EARLIER_MATCH = 0.7  # and how much the one before that counts, as a factor in queries and keys
FAR = 256  # tokens over which the pairs of dimensions that compare tokens turn less than one radian


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
    if shape.kv_heads == shape.heads and shape.heads >= LOOK_BACK and shape.layers > max(INDUCTION_LAYERS):
        _begin_with_induction(model)


def _orthonormal_rows(count: int, width: int, against: Tensor) -> Tensor:
    """(count, width), also orthogonal to the unit vector `against`."""
    columns = torch.randn(width, count)
    return torch.linalg.qr(columns - against[:, None] * (against @ columns))[0].T


def _begin_with_induction(model: MemoryModel) -> None:
    """Overwrites heads 0 and 1 of the first layer and queries and keys of head 0 of the two above it.

    A token is compared by a sketch: its projection on as many random directions as a head has dimensions that
    turn slowly with distance. The looking-back heads write the sketches of the tokens before into directions
    of their own.
    """
    shape = model.shape
    width, size, half = shape.hidden, shape.head_dim, shape.head_dim // 2
    turns = shape.rope_theta ** (-torch.arange(half) * 2 / size)  # radians per token
    slow = [i for i in range(half) if turns[i] * FAR < 1]
    slow += [half + i for i in slow]
    fast = half // 4

    embedding = model.model.embed_tokens.weight
    shared = nn.functional.normalize(torch.randn(width), dim=0)
    norm = EMBEDDING_STD * math.sqrt(width)
    embedding += shared * (SHARED_NORM * norm - (embedding @ shared)[:, None])
    rms = EMBEDDING_STD * math.sqrt(1 + SHARED_NORM ** 2)
    constant = shared * rms / (SHARED_NORM * norm)  # its product with a normed embedding is 1
    sketches = _orthonormal_rows((1 + LOOK_BACK) * len(slow), width, shared).split(len(slow))

    attention = model.model.layers[0].self_attn
    for back in range(1, LOOK_BACK + 1):
        first = (back - 1) * size
        head, part = slice(first, first + size), slice(first, first + len(slow))
        query, key = torch.zeros(size), torch.zeros(size)
        query[:fast] = POINTED
        key[:fast] = POINTED * (back * turns[:fast]).cos()
        key[half:half + fast] = POINTED * (back * turns[:fast]).sin()
        attention.q_proj.weight[head] = query[:, None] * constant
        attention.k_proj.weight[head] = key[:, None] * constant
        attention.v_proj.weight[head] = 0
        attention.v_proj.weight[part] = sketches[0]
        attention.o_proj.weight[:, head] = 0
        attention.o_proj.weight[:, part] = COPIED_GAIN * rms * sketches[back].T

    scale = math.sqrt(MATCH * math.sqrt(size) / len(slow))
    mixed = EARLIER_MATCH * torch.linalg.qr(torch.randn(len(slow), len(slow)))[0]
    for number in INDUCTION_LAYERS:
        attention = model.model.layers[number].self_attn
        attention.q_proj.weight[:size] = 0
        attention.k_proj.weight[:size] = 0
        attention.q_proj.weight[slow] = scale * (sketches[0] + mixed @ sketches[1])
        attention.k_proj.weight[slow] = scale * (sketches[1] + mixed @ sketches[2])
