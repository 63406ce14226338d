"""A Llama decoder with explicit memory (Memory3 paper, sections 3.1-3.3).

Three streams of tokens pass through the layers: the reference prefix, the references and the context.
Prefix and references stop where nobody needs them: a reference after the keys and values of the last
memory layer. Shapes: B contexts of T tokens, R references of L tokens, p prefix tokens, S references
attached to one context, H query heads, G key heads, D head dimension.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import ModelShape
from .selection import keep_tokens

LayerKV = tuple[Tensor, Tensor]


@dataclass
class References:
    """Texts to write into memory: ids (R, L), padded on the right, and how many tokens are real (R)."""

    ids: Tensor
    lengths: Tensor


@dataclass
class Memories:
    """What was kept: per memory layer keys (after rotation) and values (R, G, kept, D).

    `valid` (R, kept): a reference shorter than `kept` leaves the last places empty. `index` holds the
    token that each place came from, per layer (R, G, kept).
    """

    layers: dict[int, LayerKV]
    index: dict[int, Tensor]
    valid: Tensor


@dataclass
class Attached:
    """Which memories the rows of every context see: numbers (B, S) into Memories, -1 for none, and
    per row (B, T, S) or, where every row sees them all, nothing."""

    sets: Tensor
    visible: Tensor | None = None


class RMSNorm(nn.Module):
    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight


class Attention(nn.Module):
    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.shape = shape
        self.q_proj = nn.Linear(shape.hidden, shape.heads * shape.head_dim, bias=False)
        self.k_proj = nn.Linear(shape.hidden, shape.kv_heads * shape.head_dim, bias=False)
        self.v_proj = nn.Linear(shape.hidden, shape.kv_heads * shape.head_dim, bias=False)
        self.o_proj = nn.Linear(shape.heads * shape.head_dim, shape.hidden, bias=False)

    def project(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (B, H, T, D), keys and values (B, G, T, D), not rotated."""
        def split(y: Tensor) -> Tensor:
            return y.view(*y.shape[:-1], -1, self.shape.head_dim).transpose(1, 2)
        return split(self.q_proj(h)), split(self.k_proj(h)), split(self.v_proj(h))

    def forward(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        """One softmax over all keys. bias (B or 1, 1, T, keys) is added to the scores."""
        group = self.shape.heads // self.shape.kv_heads
        if group > 1:
            k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        # Written out and kept in the type of its inputs: at these sizes several times faster on a
        # CPU than the fused kernel, whose backward pass is slow in bfloat16.
        with torch.autocast(q.device.type, enabled=False):
            score = (q * self.shape.head_dim ** -0.5) @ k.transpose(2, 3) + bias
            y = score.softmax(-1) @ v
        return self.o_proj(y.transpose(1, 2).flatten(2))


class MLP(nn.Module):
    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.mlp, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.mlp, bias=False)
        self.down_proj = nn.Linear(shape.mlp, shape.hidden, bias=False)

    def forward(self, h: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(h)) * self.up_proj(h))


class Layer(nn.Module):
    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(shape.hidden, shape.norm_eps)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = RMSNorm(shape.hidden, shape.norm_eps)
        self.mlp = MLP(shape)

    def finish(self, x: Tensor, attention: Tensor) -> Tensor:
        x = x + attention
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    """Named like the tensors of a checkpoint: model.embed_tokens, model.layers.N..., model.norm."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab, shape.hidden)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = RMSNorm(shape.hidden, shape.norm_eps)


def causal_mask(rows: int, device: torch.device, window: int = 0) -> Tensor:
    """(rows, rows), True where row i may see row j; with a window, of the newest `window` rows only."""
    mask = torch.ones(rows, rows, dtype=torch.bool, device=device).tril()
    return mask.triu(1 - window) if window else mask


def bias_of(mask: Tensor) -> Tensor:
    """0 where the mask is True, minus infinity elsewhere, in the type that attention runs in."""
    kind = mask.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.float32
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, -torch.inf)


class MemoryModel(nn.Module):
    """Plain decoder without references; with them, prefix and memories as the engine serves them."""

    def __init__(self, shape: ModelShape, prefix_ids: list[int]) -> None:
        super().__init__()
        self.shape = shape
        self.memory_layers = frozenset(shape.memory.memory_layers)
        self.model = Decoder(shape)
        self.register_buffer("prefix_ids", torch.tensor([prefix_ids]), persistent=False)
        half = torch.arange(shape.head_dim // 2, dtype=torch.float64) * 2 / shape.head_dim
        positions = torch.arange(shape.max_context, dtype=torch.float64)
        angles = positions[:, None] * shape.rope_theta ** -half
        self.register_buffer("cos", angles.cos().float(), persistent=False)
        self.register_buffer("sin", angles.sin().float(), persistent=False)

    @property
    def context_offset(self) -> int:
        """Position of the context's first token when memory is on."""
        return self.prefix_ids.shape[1] + self.shape.memory.reference_tokens

    def rotate(self, x: Tensor, first: int) -> Tensor:
        """x (B, heads, T, D) at positions first, first + 1, ...; dimension i turns with i + D / 2."""
        cos = self.cos[first:first + x.shape[2]].to(x.dtype)
        sin = self.sin[first:first + x.shape[2]].to(x.dtype)
        a, b = x.chunk(2, -1)
        return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)

    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.model.embed_tokens.weight)

    # -- the plain decoder ------------------------------------------------------------------------
    def forward_plain(self, ids: Tensor, window: int = 0) -> Tensor:
        """Final hidden states (B, T, hidden), positions from 0, no prefix.

        window > 0: the layers above the memory layers see that many tokens only. A training mask: it
        makes the circuit that reads form where memories will be visible.
        """
        x = self.model.embed_tokens(ids)
        every, near = (bias_of(causal_mask(ids.shape[1], ids.device, w))[None, None]
                       for w in (0, window))
        top = max(self.memory_layers)
        for number, layer in enumerate(self.model.layers):
            q, k, v = layer.self_attn.project(layer.input_layernorm(x))
            attention = layer.self_attn(self.rotate(q, 0), self.rotate(k, 0), v,
                                        near if number > top else every)
            x = layer.finish(x, attention)
        return self.model.norm(x)

    # -- write ------------------------------------------------------------------------------------
    def encode_prefix(self) -> list[LayerKV]:
        """Keys and values (1, G, p, D) of the reference prefix in every layer; it sees itself only."""
        x, kv = self.model.embed_tokens(self.prefix_ids), []
        causal = bias_of(causal_mask(x.shape[1], x.device))[None, None]
        for number, layer in enumerate(self.model.layers):
            q, k, v = layer.self_attn.project(layer.input_layernorm(x))
            k = self.rotate(k, 0)
            kv.append((k, v))
            if number + 1 < len(self.model.layers):
                x = layer.finish(x, layer.self_attn(self.rotate(q, 0), k, v, causal))
        return kv

    def encode_references(self, references: References, prefix: list[LayerKV],
                          kept_tokens: int = 0) -> Memories:
        """Memories of all references, with gradient through the kept keys and values."""
        kept = kept_tokens or self.shape.memory.kept_tokens
        ids, lengths = references.ids, references.lengths
        count, length = ids.shape
        p = self.prefix_ids.shape[1]
        real = torch.arange(length, device=ids.device) < lengths[:, None]
        memories = Memories({}, {}, torch.arange(min(kept, length), device=ids.device)
                            < lengths[:, None])
        causal = bias_of(self._behind_prefix(length, ids.device))
        last = max(self.memory_layers)
        x = self.model.embed_tokens(ids)
        for number, layer in enumerate(self.model.layers[:last + 1]):
            q, k, v = layer.self_attn.project(layer.input_layernorm(x))
            rotated = self.rotate(k, p)
            if number in self.memory_layers:
                index = keep_tokens(q, k, real, min(kept, length), self.shape.memory.selection)
                take = index[..., None].expand(-1, -1, -1, self.shape.head_dim)
                memories.index[number] = index
                memories.layers[number] = (rotated.gather(2, take), v.gather(2, take))
            if number < last:
                pk, pv = (part.expand(count, -1, -1, -1) for part in prefix[number])
                attention = layer.self_attn(self.rotate(q, p), torch.cat((pk, rotated), 2),
                                            torch.cat((pv, v), 2), causal)
                x = layer.finish(x, attention)
        return memories

    # -- read -------------------------------------------------------------------------------------
    def forward_memory(self, ids: Tensor, prefix: list[LayerKV], memories: Memories | None,
                       attached: Attached | None) -> Tensor:
        """Final hidden states (B, T, hidden) of contexts behind the prefix, beside their memories."""
        count, rows = ids.shape
        offset = self.context_offset
        plain = self._behind_prefix(rows, ids.device)
        use_memory = memories is not None and attached is not None and attached.sets.shape[1] > 0
        with_memory = bias_of(self._memory_mask(plain, memories, attached, count)) \
            if use_memory else None
        plain = bias_of(plain)
        x = self.model.embed_tokens(ids)
        for number, layer in enumerate(self.model.layers):
            q, k, v = layer.self_attn.project(layer.input_layernorm(x))
            pk, pv = (part.expand(count, -1, -1, -1) for part in prefix[number])
            keys, values = [pk, self.rotate(k, offset)], [pv, v]
            reads = use_memory and number in self.memory_layers
            if reads:
                mk, mv = memories.layers[number]
                keys.insert(0, self._gather(mk, attached.sets))
                values.insert(0, self._gather(mv, attached.sets))
            attention = layer.self_attn(self.rotate(q, offset), torch.cat(keys, 2),
                                        torch.cat(values, 2), with_memory if reads else plain)
            x = layer.finish(x, attention)
        return self.model.norm(x)

    def _behind_prefix(self, rows: int, device: torch.device) -> Tensor:
        """(1, 1, rows, p + rows): every row sees the prefix, and itself and what is before it."""
        prefix = torch.ones(rows, self.prefix_ids.shape[1], dtype=torch.bool, device=device)
        return torch.cat((prefix, causal_mask(rows, device)), 1)[None, None]

    @staticmethod
    def _gather(stored: Tensor, sets: Tensor) -> Tensor:
        """(R, G, kept, D) and numbers (B, S) -> (B, G, S * kept, D)."""
        picked = stored[sets.clamp(min=0)]  # (B, S, G, kept, D)
        return picked.transpose(1, 2).flatten(2, 3)

    @staticmethod
    def _memory_mask(plain: Tensor, memories: Memories, attached: Attached, count: int) -> Tensor:
        valid = memories.valid[attached.sets.clamp(min=0)] & (attached.sets >= 0)[..., None]
        rows = plain.shape[2]
        if attached.visible is None:
            mask = valid[:, None].expand(-1, rows, -1, -1)
        else:
            mask = valid[:, None] & attached.visible[..., None]
        return torch.cat((mask.flatten(2)[:, None], plain.expand(count, -1, -1, -1)), 3)
