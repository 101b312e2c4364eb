"""The game's look: hard sun, blue sky with neat clouds, clean saturated paint and crisp shadows."""

import numpy as np
import numpy.typing as npt

from src.data.streets import noise
from src.data.streets.look import Domain, Look, Odds, Pixels

ODDS = Odds(tree_row=0.4, tree_gap=11.0, open_lot=0.3, floors=(1, 4), bush=0.5)


def look(rng: np.random.Generator) -> Look:
    """A clear day; the sun stands left or right behind us."""
    across = float(rng.choice([-1, 1])) * rng.uniform(0.35, 0.6)
    up = rng.uniform(0.62, 0.78)
    behind = -((1 - across**2 - up**2) ** 0.5) if across**2 + up**2 < 1 else 0.0
    return Look(
        sun=(across, up, behind),
        sunlight=(0.74, 0.68, 0.54),
        ambient=(0.52, 0.55, 0.62),
        haze=900.0,
        haze_rgb=(176, 200, 226),
        asphalt=(92, 92, 98),
        paving=(160, 152, 142),
        grass=(94, 132, 50),
        leaf=(0.95, 1.02, 0.7),
        leaf_contrast=0.75,
        ragged=1.1,
        grain=0.12,
        shadow=0.56,
        shadow_blur=1,
        cast=True,
    )


def sky(rng: np.random.Generator, height: int, width: int, horizon: int) -> Pixels:
    """A blue gradient with clouds of one noise, cut off neatly; the rows below the horizon are haze."""
    rise = ((horizon - np.arange(height, dtype=np.float32)) / np.float32(horizon)).clip(0, 1)[:, None, None]
    low, high = np.array((184, 212, 236), np.float32), np.array((66, 124, 206), np.float32)
    blue = low + (high - low) * rise
    rows = np.float32(70) / (rise[..., 0] + np.float32(0.5))  # clouds crowd towards the horizon
    columns = (np.arange(width, dtype=np.float32) - np.float32(width / 2))[None] * np.float32(0.004) * rows
    at = rng.integers(0, noise.SIZE, 2)
    cloud = noise.sample(noise.tile(8, 4), rows + at[0], columns + at[1])
    cover = ((cloud - np.float32(rng.uniform(0.5, 0.62))) * 7).clip(0, 1)[..., None]
    white = np.float32(255) - np.float32(26) * (cover < 0.6)
    painted: Pixels = (blue + (white - blue) * cover * np.float32(0.9)).clip(0, 255).astype(np.uint8)
    return painted


def develop(rng: np.random.Generator, rgb: Pixels, sky_mask: npt.NDArray[np.bool_]) -> Pixels:
    """Grade as a game does: an S-shaped curve, more colour, a touch of warmth."""
    del rng, sky_mask  # a renderer has neither sensor noise nor glare
    t = rgb.astype(np.float32) / np.float32(255)
    t = t + np.float32(0.35) * t * (1 - t) * (2 * t - 1)
    grey = t[..., :1] * np.float32(0.3) + t[..., 1:2] * np.float32(0.59) + t[..., 2:] * np.float32(0.11)
    t = grey + np.float32(1.28) * (t - grey)
    t = t * np.array((1.04, 1.0, 0.95), np.float32)
    graded: Pixels = (t * 255 + np.float32(0.5)).clip(0, 255).astype(np.uint8)
    return graded


GAME = Domain(name="playing_for_data", number=0, odds=ODDS, look=look, sky=sky, develop=develop)
