"""What separates the two domains while a scene is painted: light, haze, materials and their dirt."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RGB = tuple[float, float, float]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Odds:
    """The layout statistics in which the domains differ: more trees and less open sky for the camera."""

    tree_row: float  # chance that a side of the road has a row of trees
    tree_gap: float  # metres between trees of a row
    open_lot: float  # chance that a lot is not built on
    floors: tuple[int, int]  # least and most floors of a building
    bush: float  # chance that a lot without house carries greenery


@dataclass(frozen=True)
class Look:
    """Light and materials of one picture; colours are RGB in [0, 255], lights are factors."""

    sun: tuple[float, float, float]  # unit vector towards the sun
    sunlight: RGB
    ambient: RGB
    haze: float  # metres at which haze takes half of a colour
    haze_rgb: RGB
    asphalt: RGB
    paving: RGB
    grass: RGB
    leaf: RGB  # factor on the colour of foliage
    leaf_contrast: float
    ragged: float  # how torn the outline of a crown is
    grain: float  # texture and dirt on materials, 0 is clean paint
    shadow: float  # what a shadow leaves of the light
    shadow_blur: int  # odd width in pixels, 1 is crisp
    cast: bool  # whether things throw directed shadows

    def light(self, normal: tuple[float, float, float]) -> RGB:
        """Factors for red, green and blue of a surface with this unit normal."""
        (nx, ny, nz), (sx, sy, sz) = normal, self.sun
        facing, upward = max(0.0, nx * sx + ny * sy + nz * sz), 0.88 + 0.12 * ny
        (ar, ag, ab), (sr, sg, sb) = self.ambient, self.sunlight
        return ar * upward + facing * sr, ag * upward + facing * sg, ab * upward + facing * sb

    def clear(self, z: float) -> float:
        """Share of a surface's own colour that is left after z metres of air."""
        return self.haze / (self.haze + max(z, 0.0))


@dataclass(frozen=True)
class Domain:
    """One of the two ways to see a street."""

    name: str
    number: int  # part of every random seed
    odds: Odds
    look: Callable[[np.random.Generator], Look]
    sky: Callable[[np.random.Generator, int, int, int], Pixels]  # height, width, horizon row
    develop: Callable[[np.random.Generator, Pixels, npt.NDArray[np.bool_]], Pixels]  # picture, sky mask
