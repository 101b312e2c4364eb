"""A thing: anything that stands on the ground, as the scene knows it."""

from dataclasses import dataclass

import numpy as np

from src.data.streets.look import RGB


@dataclass(frozen=True, kw_only=True)
class Thing:
    """Kind, place and proportions; details are drawn from the seed, so they need no order."""

    kind: str
    x: float
    z: float
    depth: float  # painter's key in metres: larger is painted earlier
    height: float
    rgb: RGB
    seed: int
    length: float = 0.0  # along z
    quarters: int = 0  # quarter turns to the left from driving away
    covered: bool = False  # whether the next house hides the end towards us
    side: int = 1  # -1 left of the road, 1 right


def new_seed(rng: np.random.Generator) -> int:
    """A number from which a thing draws its details."""
    return int(rng.integers(0, 2**31))


def vary(rng: np.random.Generator, colours: tuple[RGB, ...], spread: float = 0.12) -> RGB:
    """One of the colours, a little lighter or darker."""
    r, g, b = colours[int(rng.integers(len(colours)))]
    f = rng.uniform(1 - spread, 1 + spread)
    return min(r * f, 245.0), min(g * f, 245.0), min(b * f, 245.0)
