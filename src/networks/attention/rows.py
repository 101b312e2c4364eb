"""Statistics of an attention matrix's rows and columns, streamed: the P x K matrix itself never exists.

Memory: one block of about a million logits; time 2 * P * K * C. For K = P both grow with the square of the
places, the time unavoidably so.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

BLOCK = 1 << 20
"""Logits held at once, whatever the size of the map."""


def negative_row_entropy(query_BPC: Tensor, key_BKC: Tensor) -> Tensor:
    """sum_k p log p of each row of softmax(query key^T): [B, P], 0 where one key takes all, -ln K where flat.

    From log p, not p: a p that underflows then counts 0, where p * log(p) would be 0 * -inf.
    """
    rows = []
    for logits_BQK in _blocks(query_BPC, key_BKC):
        log_p = logits_BQK.log_softmax(-1)
        rows.append((log_p.exp() * log_p).sum(-1))
    return torch.cat(rows, dim=1)


def attention_received(query_BPC: Tensor, key_BKC: Tensor) -> Tensor:
    """Column sums of softmax(query key^T): how much attention each key receives, [B, K], summing to P."""
    total_BK = torch.zeros(key_BKC.shape[:2], dtype=key_BKC.dtype, device=key_BKC.device)
    for logits_BQK in _blocks(query_BPC, key_BKC):
        total_BK += logits_BQK.softmax(-1).sum(1)
    return total_BK


def _blocks(query_BPC: Tensor, key_BKC: Tensor) -> Iterator[Tensor]:
    rows = max(1, BLOCK // (key_BKC.shape[0] * key_BKC.shape[1]))
    for block_BQC in query_BPC.split(rows, dim=1):
        yield block_BQC @ key_BKC.mT
