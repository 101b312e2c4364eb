"""What a step says of its chosen places: how large a share they are, and how they lie on the map."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from src.metrics.coverage import coverage, mean_distance

Places = dict[str, tuple[Tensor, tuple[int, int]]]
"""Chosen places [B, N] and (H, W) of the map, by tap."""


def places_of(state: Any) -> Places:
    """Of what a forward pass left; empty for a method that chooses none."""
    chosen: dict[str, Tensor] = getattr(state, "places", {})
    maps: dict[str, Tensor] = getattr(state, "features", {})
    return {tap: (places, (maps[tap].shape[2], maps[tap].shape[3])) for tap, places in chosen.items()}


def spread(places: Places) -> Iterator[dict[str, Tensor]]:
    """Scalars to log, a tap at a time."""
    for tap, (places_BN, grid) in places.items():
        yield {
            f"places/{tap}_share": torch.as_tensor(places_BN.shape[1] / (grid[0] * grid[1]), device=places_BN.device),
            f"places/{tap}_coverage": coverage(places_BN, grid),
            f"places/{tap}_distance": mean_distance(places_BN, grid),
        }
