"""What a step says of its chosen places: how large a share they are, and how they lie on the map."""

from collections.abc import Iterator

import torch
from torch import Tensor

from src.methods.base import Places
from src.metrics.coverage import coverage, mean_distance


def spread(places: Places) -> Iterator[dict[str, Tensor]]:
    """Scalars to log, a tap at a time."""
    for tap, (places_BN, grid) in places.items():
        yield {
            f"places/{tap}_share": torch.as_tensor(places_BN.shape[1] / (grid[0] * grid[1]), device=places_BN.device),
            f"places/{tap}_coverage": coverage(places_BN, grid),
            f"places/{tap}_distance": mean_distance(places_BN, grid),
        }
