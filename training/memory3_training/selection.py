"""Which tokens of a reference are kept (Memory3 paper, section 3.3)."""

import torch
from torch import Tensor


@torch.no_grad()
def keep_tokens(q: Tensor, k: Tensor, real: Tensor, kept: int, selection: str) -> Tensor:
    """Kept token numbers (R, G, kept), ascending, per reference and key head.

    q (R, H, L, D) and k (R, G, L, D) before rotation; no causal mask; real (R, L) marks what is no
    padding. The weights of the query heads of one key head are summed; ties go to the lower number.
    The choice itself carries no gradient: the keys and values that it keeps do.
    """
    count, heads, length, width = q.shape
    groups = k.shape[1]
    q = q.reshape(count, groups, heads // groups * length, width)
    score = (q @ k.transpose(2, 3)).float() / width ** 0.5  # (R, G, heads of a group * L, L)
    score = score.masked_fill(~real[:, None, None], -torch.inf)
    rows = real[:, None].expand(-1, heads // groups, -1).reshape(count, 1, -1, 1)
    if selection == "softmax_sum":
        weight = (score.softmax(-1) * rows).sum(2)
    elif selection == "exp_sum":
        weight = score.masked_fill(~rows, -torch.inf).logsumexp(2)
    else:
        raise ValueError(f"selection must be softmax_sum or exp_sum, got {selection}")
    weight = weight.masked_fill(~real[:, None], -torch.inf)
    order = weight.sort(dim=-1, descending=True, stable=True).indices[..., :kept]
    # Padding is chosen last and must stay last: real tokens have the lower numbers.
    return order.sort(-1).values
