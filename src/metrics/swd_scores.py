"""SWD of two sets of squares on both scales, over several draws of places and directions."""

from statistics import fmean, pstdev

import torch
from torch import Tensor

from src.metrics.image_set import exact
from src.metrics.sliced_wasserstein import sliced_wasserstein


def swd_scores(images_M3SS: Tensor, real_N3SS: Tensor, seeds: int, where: torch.device) -> dict[str, float]:
    """`swd_unit`, `swd_std`, and `*_spread`, the deviation of each over the draws.

    SWD compares sorted lists, so both sets give the same number of images, evenly spaced over each.

    Args:
        images_M3SS: uint8.
        real_N3SS: uint8, of the same side.
        seeds: number of draws.
        where: the device to compute on.
    """
    count = min(len(images_M3SS), len(real_N3SS))
    pair = [_spaced(squares, count).to(where).float() for squares in (images_M3SS, real_N3SS)]
    with exact():
        draws = sliced_wasserstein(*pair, seeds=range(seeds))
    values: dict[str, float] = {}
    for scale in ("unit", "std"):
        found = [getattr(draw, scale) for draw in draws]
        values |= {f"swd_{scale}": fmean(found), f"swd_{scale}_spread": pstdev(found)}
    return values


def _spaced(squares: Tensor, count: int) -> Tensor:
    return squares[torch.arange(count) * len(squares) // count]
