"""Smooth fractal noise as a tile that repeats without a seam, the texture of everything that is not paint."""

from functools import cache

import numpy as np
import numpy.typing as npt

SIZE = 256
Field = npt.NDArray[np.float32]


def _octave(rng: np.random.Generator, rows: int, columns: int) -> Field:
    """Uniform values on a torus of rows x columns cells, interpolated linearly to the tile's size."""
    knots: Field = np.divide(rng.integers(0, 256, (rows, columns)), 255, dtype=np.float32)
    (up, down, v), (left, right, u) = _between(rows), _between(columns)
    field = knots[up] * (1 - v)[:, None] + knots[down] * v[:, None]
    return (field[:, left] * (1 - u) + field[:, right] * u).astype(np.float32)


def _between(cells: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], Field]:
    """For every texel the cells on both sides of it and its place between them."""
    at = np.arange(SIZE, dtype=np.float32) * np.float32(cells / SIZE)
    low = at.astype(np.int32)
    return low, (low + 1) % cells, at - low.astype(np.float32)


@cache
def tile(coarsest: int, octaves: int, stretch: int = 1) -> Field:
    """A tile of shape (256, 256) in [0, 1] with mean near 1/2; each octave halves size and strength.

    The coarsest octave has `coarsest` cells across, and down as many divided by `stretch`.
    """
    rng = np.random.default_rng([coarsest, octaves, stretch])
    total = np.zeros((SIZE, SIZE), np.float32)
    for octave in range(octaves):
        cells = min(SIZE, coarsest << octave)
        total += _octave(rng, cells // stretch, cells) * np.float32(0.5**octave)
    spread = total.max() - total.min()
    scaled: Field = (total - total.min()) / spread
    scaled.setflags(write=False)
    return scaled


@cache
def plaster() -> Field:
    """Grain, and dirt that has run down a wall, around 0 and within +-0.45; shape (768, 768)."""
    grain, dirt = tile(128, 2) - np.float32(0.5), tile(12, 3, 4) - np.float32(0.5)
    field: Field = np.tile(np.float32(0.35) * grain + np.float32(0.5) * dirt, (3, 3))
    field.setflags(write=False)
    return field


def sample(field: Field, rows: npt.NDArray[np.floating], columns: npt.NDArray[np.floating]) -> Field:
    """Nearest values of a tile at any coordinates, which broadcast together and wrap around."""
    i = np.floor(rows).astype(np.int32) & (SIZE - 1)
    j = np.floor(columns).astype(np.int32) & (SIZE - 1)
    values: Field = field[i, j]
    return values
