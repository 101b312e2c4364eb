"""How the chosen places lie on the map: spread over the image, or heaped in one region."""

import torch
from torch import Tensor

CELLS = 8


def coverage(places_BN: Tensor, grid: tuple[int, int]) -> Tensor:
    """Share of the cells of an 8x8 partition that hold a chosen place, mean over images; a scalar in (0, 1].

    A map with fewer than eight rows or columns has as many cells there as it has places.

    Examples:
        >>> heaped = torch.arange(16)[None]  # the first two rows of a map of 8 x 8
        >>> coverage(heaped, (8, 8)).item()
        0.25
        >>> coverage(4 * heaped, (8, 8)).item()  # as many cells, two in each of all rows
        0.25
        >>> f"{mean_distance(heaped, (8, 8)):.2f}, {mean_distance(4 * heaped, (8, 8)):.2f}"
        '0.26, 0.36'
    """
    height, width = grid
    rows, columns = min(CELLS, height), min(CELLS, width)
    cell_BN = (places_BN // width) * rows // height * columns + (places_BN % width) * columns // width
    hit = torch.zeros(len(places_BN), rows * columns, device=places_BN.device)
    return hit.scatter_(1, cell_BN, 1.0).mean()


def mean_distance(places_BN: Tensor, grid: tuple[int, int]) -> Tensor:
    """Mean distance between two chosen places of an image, as a share of the map's diagonal; a scalar in [0, 1]."""
    height, width = grid
    position_BN2 = torch.stack([places_BN // width, places_BN % width], dim=-1).float()
    count = places_BN.shape[1]
    distance_BNN = torch.cdist(position_BN2, position_BN2)
    diagonal = float(height**2 + width**2) ** 0.5
    mean: Tensor = distance_BNN.sum((1, 2)).mean() / (count * (count - 1) * diagonal)
    return mean
