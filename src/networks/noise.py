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
    first_B1, second_B1 = _halves(key_B[:, None], stream)
    counter_P = torch.arange(count, device=key_B.device) * _GOLDEN
    hash_BP = _mix(_mix((counter_P + first_B1) & _MASK) ^ second_B1)
    # 23 bits and a half are exact in float32, so neither 0 nor 1 can come out
    return ((hash_BP >> 9).float() + 0.5) / 2**23


def fork(key_B: Tensor, stream: int) -> Tensor:
    """A second set of keys, unrelated to the first: int64 [B] -> int64 [B]."""
    first_B, second_B = _halves(key_B, stream)
    return (first_B << 32) | second_B


def _halves(key: Tensor, stream: int) -> tuple[Tensor, Tensor]:
    """Two 32-bit numbers in which every bit of the key counts."""
    # one more than the stream, and one mix more for the upper half: 0 must not be a fixed point, nor the halves alike
    first = _mix(((key & _MASK) + (stream + 1) * _GOLDEN) & _MASK)
    return first, _mix(_mix((((key >> 32) & _MASK) + _GOLDEN) & _MASK) ^ first)


def _mix(h: Tensor) -> Tensor:
    """MurmurHash3's fmix32, on int64 tensors that hold unsigned 32-bit numbers."""
    # a product may wrap at 64 bits; its low 32 bits, the only ones kept, are right all the same
    h = ((h ^ (h >> 16)) * 0x85EBCA6B) & _MASK
    h = ((h ^ (h >> 13)) * 0xC2B2AE35) & _MASK
    return h ^ (h >> 16)
