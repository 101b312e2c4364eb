"""Statistics of an attention matrix's rows and columns, streamed and without graph: the P x K matrix never exists.

Memory: one block of logits; time 2 * P * K * C. For K = P both grow with the square of the
places, the time unavoidably so.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

BLOCK = 1 << 18
"""Logits held at once on a CPU, whatever the size of the map: what a core's cache holds."""
ELSEWHERE = 16
"""Times as many on other devices, where starting a kernel costs more than a cache saves."""


def negative_row_entropy(query_BPC: Tensor, key_BKC: Tensor) -> Tensor:
    """sum_k p log p of each row of softmax(query key^T): [B, P], 0 where one key takes all, -ln K where flat.

    With e_k = exp(l_k - max l) and Z their sum it is sum_k e_k (l_k - max l) / Z - log Z: one exponential a logit, and
    one that underflows counts 0, where p * log(p) would be 0 * -inf.
    """
    rows, room_BQK = [], _room(query_BPC, key_BKC)
    for logits_BQK in _blocks(query_BPC, key_BKC):
        logits_BQK -= logits_BQK.amax(-1, keepdim=True)
        e_BQK = torch.exp(logits_BQK, out=room_BQK[:, : logits_BQK.shape[1]])
        total_BQ = e_BQK.sum(-1)
        rows.append(e_BQK.mul_(logits_BQK).sum(-1) / total_BQ - total_BQ.log())
    return torch.cat(rows, dim=1)


def attention_received(query_BPC: Tensor, key_BKC: Tensor) -> Tensor:
    """Column sums of softmax(query key^T): how much attention each key receives, [B, K], summing to P."""
    total_BK = torch.zeros(key_BKC.shape[:2], dtype=key_BKC.dtype, device=key_BKC.device)
    for logits_BQK in _blocks(query_BPC, key_BKC):
        total_BK += logits_BQK.softmax(-1).sum(1)
    return total_BK


def _blocks(query_BPC: Tensor, key_BKC: Tensor) -> Iterator[Tensor]:
    # each overwrites the one before: fresh memory for every block takes a CPU as long as its exponentials
    room_BQK = _room(query_BPC, key_BKC)
    for block_BQC in query_BPC.split(room_BQK.shape[1], dim=1):
        yield torch.matmul(block_BQC, key_BKC.mT, out=room_BQK[:, : block_BQC.shape[1]])


def _room(query_BPC: Tensor, key_BKC: Tensor) -> Tensor:
    block = BLOCK * (1 if query_BPC.device.type == "cpu" else ELSEWHERE)
    batch, keys = key_BKC.shape[:2]
    return query_BPC.new_empty(batch, min(query_BPC.shape[1], max(1, block // (batch * keys))), keys)
