"""Sliced Wasserstein distance between the patches of two image sets, by pyramid level (Karras et al. 2018, Sec. 5).

Two scales of one quantity. `unit` projects on directions of unit length, as progressive GANs do. `std` divides each
random direction by its standard deviation, which makes it about sqrt(147) = 12.1 times longer: a widely copied
variant, and by its numbers the one behind the paper's table.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean, pstdev

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from src.metrics.image_set import exact

PATCH = 7
PATCHES = 128
DIRECTIONS = 512
LOWEST = 16
SCALE = 1000.0
CHUNK = 16
BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


@dataclass(frozen=True)
class Distance:
    """Means over pyramid levels, times 1000; lower is closer."""

    unit: float
    std: float


def swd_scores(images_M3SS: Tensor, real_N3SS: Tensor, seeds: int, where: torch.device) -> dict[str, float]:
    """`swd_unit`, `swd_std`, and `*_spread`, the deviation of each over the draws.

    SWD compares sorted lists, so both sets give the same number of images, evenly spaced over each. All of both
    sets is on the device at once: of a pair of 256 pixels 2.1 MB of pyramids (4/3 of a float32 image each), and
    1.8 MB of patches and projections of a level, whatever the size; with the images themselves 4.5 MB.

    Args:
        images_M3SS: uint8.
        real_N3SS: uint8, of the same side.
        seeds: number of draws.
        where: the device to compute on.
    """
    count = min(len(images_M3SS), len(real_N3SS))
    pair = [squares[torch.arange(count) * len(squares) // count].to(where) for squares in (images_M3SS, real_N3SS)]
    with exact():
        draws = sliced_wasserstein(*pair, seeds=range(seeds))
    values: dict[str, float] = {}
    for scale in ("unit", "std"):
        found = [getattr(draw, scale) for draw in draws]
        values |= {f"swd_{scale}": fmean(found), f"swd_{scale}_spread": pstdev(found)}
    return values


def sliced_wasserstein(x_NCHW: Tensor, y_NCHW: Tensor, *, seeds: Iterable[int]) -> list[Distance]:
    """Distance between two sets of as many images of one size, once for each seed.

    At each level of a Laplacian pyramid, from full size down to 16 pixels: 128 patches of 7x7 an image at random
    places, normalised by each channel's mean and deviation over its set, projected on 512 random directions;
    the mean absolute difference of the sorted projections. It does not vanish for two draws of one distribution,
    but falls with their number: read it beside a floor of the same n.

    Args:
        x_NCHW: images, any range as long as it is the same for both; computed in float32, on their device.
        y_NCHW: the same shape.
        seeds: of places and directions; drawn on the CPU, so that every device sees the same.

    Raises ValueError for sets of different shape, or smaller than 16 x 16.
    """
    if x_NCHW.shape != y_NCHW.shape:
        raise ValueError(f"SWD needs sets of one shape, got {tuple(x_NCHW.shape)} and {tuple(y_NCHW.shape)}")
    if min(x_NCHW.shape[-2:]) < LOWEST:
        raise ValueError(f"SWD needs images of at least {LOWEST}x{LOWEST}, got {tuple(x_NCHW.shape[-2:])}")
    pyramids = _pyramid(x_NCHW), _pyramid(y_NCHW)
    return [_distance(*pyramids, torch.Generator().manual_seed(seed)) for seed in seeds]


def _distance(x_levels: list[Tensor], y_levels: list[Tensor], draws: torch.Generator) -> Distance:
    unit, std = [], []
    for levels in zip(x_levels, y_levels, strict=True):
        x_ND, y_ND = (normalise(patches(level, draws)) for level in levels)
        direction_DK = torch.randn(x_ND.shape[1], DIRECTIONS, generator=draws).to(x_ND.device)
        # both scales from one projection: a direction's length is a factor of its distances
        distance_K = (_sorted_projection(x_ND, direction_DK) - _sorted_projection(y_ND, direction_DK)).abs().mean(1)
        unit.append((distance_K / direction_DK.norm(dim=0)).mean())
        std.append((distance_K / direction_DK.std(dim=0, correction=0)).mean())
    return Distance(float(torch.stack(unit).mean() * SCALE), float(torch.stack(std).mean() * SCALE))


def _pyramid(images_NCHW: Tensor) -> list[Tensor]:
    """`laplacian_pyramid`, a few images at a time: what lies between takes more memory than the levels."""
    levels: list[Tensor] = []
    for start in range(0, len(images_NCHW), CHUNK):
        chunk = laplacian_pyramid(images_NCHW[start : start + CHUNK])
        levels = levels or [one.new_empty(len(images_NCHW), *one.shape[1:]) for one in chunk]
        for level, one in zip(levels, chunk, strict=True):
            level[start : start + CHUNK] = one
    return levels


def laplacian_pyramid(images_NCHW: Tensor) -> list[Tensor]:
    """Band-passed images from full size down, the last one low-passed, none smaller than 16 pixels."""
    current = images_NCHW.float()
    levels = []
    while min(current.shape[-2:]) >= 2 * LOWEST:
        lower = blur(current)[..., ::2, ::2]
        levels.append(current - enlarge(lower, current.shape[-2:]))
        current = lower
    return [*levels, current]


def blur(images_NCHW: Tensor) -> Tensor:
    """Convolution with [1, 4, 6, 4, 1] x [1, 4, 6, 4, 1] / 256, borders mirrored without repeating the edge."""
    padded = F.pad(images_NCHW, (2, 2, 2, 2), mode="reflect")
    return _weighted(_weighted(padded, 2), 3)


def _weighted(images_NCHW: Tensor, dim: int) -> Tensor:
    # shifted sums take a fraction of the time of conv2d with a channel a group
    length = images_NCHW.shape[dim] - len(BINOMIAL) + 1
    total = BINOMIAL[0] * images_NCHW.narrow(dim, 0, length)
    for shift, weight in enumerate(BINOMIAL[1:], start=1):
        total.add_(images_NCHW.narrow(dim, shift, length), alpha=weight)
    return total


def enlarge(images_NCHW: Tensor, shape: torch.Size) -> Tensor:
    """Twice the size: zeros in between, blurred, times 4."""
    spread = images_NCHW.new_zeros(*images_NCHW.shape[:2], *shape)
    spread[..., ::2, ::2] = images_NCHW
    return 4 * blur(spread)


def patches(level_NCHW: Tensor, draws: torch.Generator) -> Tensor:
    """128 patches of 7x7 at random places of every image: [N * 128, C, 7, 7]."""
    count, _, height, width = level_NCHW.shape
    where = level_NCHW.device
    rows = torch.randint(height - PATCH + 1, (count, PATCHES, 1, 1), generator=draws).to(where)
    columns = torch.randint(width - PATCH + 1, (count, PATCHES, 1, 1), generator=draws).to(where)
    step = torch.arange(PATCH, device=where)
    image = torch.arange(count, device=where)[:, None, None, None]
    taken_NPhwC = level_NCHW.permute(0, 2, 3, 1)[image, rows + step[:, None], columns + step]
    return taken_NPhwC.flatten(0, 1).permute(0, 3, 1, 2)


def normalise(patches_NChw: Tensor) -> Tensor:
    """Zero mean and unit deviation of each channel over the set, flattened: [N, C * 49]."""
    std, mean = torch.std_mean(patches_NChw, dim=(0, 2, 3), keepdim=True, correction=0)
    return ((patches_NChw - mean) / std.clamp_min(1e-8)).flatten(1)


def _sorted_projection(patches_ND: Tensor, direction_DK: Tensor) -> Tensor:
    """[K, N]: along each direction, in rising order."""
    projected_KN = direction_DK.T @ patches_ND.T
    if projected_KN.is_cpu:
        return torch.from_numpy(np.sort(projected_KN.numpy(), axis=1))  # five to eight times faster than torch's there
    return projected_KN.sort(dim=1).values
