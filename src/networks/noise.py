"""White noise as a pure function of (key, stream, place): the same on every device, in any batch, after any restart.

A counter-based generator in the spirit of Salmon et al. 2011 ("Parallel random numbers: as easy as 1, 2, 3"),
built from the 32-bit finaliser of MurmurHash3. No generator state exists, so none has to be saved or split.
"""

import torch
from torch import Tensor

_MASK = 0xFFFFFFFF
_GOLDEN = 0x9E3779B9  # 2^32 / golden ratio: consecutive counters land far apart


def uniform(key_B: Tensor, count: int, stream: int) -> Tensor:
    """Independent draws [B, count] from (0, 1), float32, on the device of `key_B`.

    Args:
        key_B: int64; all 64 bits count. One key a sample.
        count: draws a key.
        stream: which of several independent sequences of the same key (a tap, a purpose).
    """
    low_B1, high_B1 = key_B[:, None] & _MASK, (key_B[:, None] >> 32) & _MASK
    first_B1 = _mix((low_B1 + stream * _GOLDEN) & _MASK)
    second_B1 = _mix(high_B1 ^ first_B1)
    counter_P = torch.arange(count, device=key_B.device) * _GOLDEN
    hash_BP = _mix(_mix((counter_P + first_B1) & _MASK) ^ second_B1)
    # 23 bits and a half are exact in float32, so neither 0 nor 1 can come out
    return ((hash_BP >> 9).float() + 0.5) / 2**23


def fork(key_B: Tensor, stream: int) -> Tensor:
    """A second set of keys, unrelated to the first: int64 [B] -> int64 [B]."""
    low_B, high_B = key_B & _MASK, (key_B >> 32) & _MASK
    left_B = _mix((low_B + stream * _GOLDEN) & _MASK)
    return (left_B << 32) | _mix(high_B ^ left_B)


def _mix(h: Tensor) -> Tensor:
    """MurmurHash3's fmix32, on int64 tensors that hold unsigned 32-bit numbers."""
    # a product may wrap at 64 bits; its low 32 bits, the only ones kept, are right all the same
    h = ((h ^ (h >> 16)) * 0x85EBCA6B) & _MASK
    h = ((h ^ (h >> 13)) * 0xC2B2AE35) & _MASK
    return h ^ (h >> 16)
