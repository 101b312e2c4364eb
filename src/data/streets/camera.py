"""The dash-camera's look: overcast light, haze, dirty materials, then lens and sensor."""

import cv2
import numpy as np
import numpy.typing as npt

from src.data.streets import noise
from src.data.streets.look import Domain, Look, Odds, Pixels

ODDS = Odds(tree_row=0.9, tree_gap=6.5, open_lot=0.24, floors=(3, 6), bush=1.0)


def look(rng: np.random.Generator) -> Look:
    """A bright grey day; light comes from the whole sky."""
    pale = rng.uniform(200, 228)
    return Look(
        sun=(rng.uniform(-0.4, 0.4), 0.85, -0.35),
        sunlight=(0.3, 0.3, 0.28),
        ambient=(0.74, 0.76, 0.75),
        haze=rng.uniform(130, 260),
        haze_rgb=(pale * 0.96, pale, pale * 0.99),
        asphalt=(122, 123, 124),
        paving=(158, 155, 152),
        grass=(92, 104, 66),
        leaf=(0.78, 0.8, 0.76),
        leaf_contrast=1.15,
        ragged=2.3,
        grain=rng.uniform(0.5, 0.85),
        shadow=rng.uniform(0.42, 0.6),
        shadow_blur=15,
        cast=False,
    )


def sky(rng: np.random.Generator, height: int, width: int, horizon: int) -> Pixels:
    """Near-white cloud without blue; the rows below the horizon are haze."""
    rise = ((horizon - np.arange(height, dtype=np.float32)) / np.float32(horizon)).clip(0, 1)[:, None]
    at = rng.integers(0, noise.SIZE, 2)
    rows, columns = np.arange(height)[:, None] * 0.5 + at[0], np.arange(width)[None] * 0.25 + at[1]
    cloud = noise.sample(noise.tile(4, 4), rows, columns) - np.float32(0.5)
    bright = np.float32(rng.uniform(226, 246)) - np.float32(14) * rise + np.float32(30) * cloud
    colour = bright[..., None] * np.array((0.97, 1.0, 1.0), np.float32)
    painted: Pixels = colour.clip(0, 255).astype(np.uint8)
    return painted


def develop(rng: np.random.Generator, rgb: Pixels, sky_mask: npt.NDArray[np.bool_]) -> Pixels:
    """Lens (bloom, blur, vignette), exposure, colour cast and sensor noise, as light meets them."""
    height, width = rgb.shape[:2]
    glow = cv2.GaussianBlur((sky_mask * np.uint8(255)).astype(np.uint8), (31, 31), 0).astype(np.float32)
    soft = cv2.GaussianBlur(rgb, (3, 3), rng.uniform(0.45, 0.75)).astype(np.float32)
    t = soft / np.float32(255) + (glow * np.float32(rng.uniform(0.03, 0.1) / 255))[..., None]
    y = (np.arange(height, dtype=np.float32)[:, None] - height / 2) / np.float32(height / 2)
    x = (np.arange(width, dtype=np.float32)[None] - width / 2) / np.float32(width / 2)
    t *= (1 - np.float32(rng.uniform(0.1, 0.22)) * (x * x + np.float32(0.6) * y * y))[..., None]
    # nothing outdoors is lit or painted evenly
    at = rng.integers(0, noise.SIZE, 2)
    rows, columns = np.arange(height)[:, None] * 1.5 + at[0], np.arange(width)[None] * 1.1 + at[1]
    uneven = noise.sample(noise.tile(8, 5), rows, columns) - np.float32(0.5)
    t *= (1 + np.float32(0.3) * uneven * ~sky_mask)[..., None]
    t *= np.float32(rng.uniform(0.84, 1.1))
    grey = t[..., :1] * np.float32(0.3) + t[..., 1:2] * np.float32(0.59) + t[..., 2:] * np.float32(0.11)
    t = grey + np.float32(rng.uniform(0.42, 0.62)) * (t - grey)
    green = rng.uniform(0.01, 0.045)
    t *= np.array((1 - green, 1.0 + 0.3 * green, 1 - 0.6 * green), np.float32)
    t += np.float32(0.4) * t * (1 - t) * (2 * t - 1)  # the camera's own tone curve
    # shot noise grows with light, read noise does not; demosaicing leaves colour noise coarser than grain
    grain = rng.standard_normal((height, width, 1), np.float32)
    coarse = rng.standard_normal((height // 2, width // 2, 3), np.float32)
    chroma = np.repeat(np.repeat(coarse, 2, axis=0), 2, axis=1)
    strength = np.float32(rng.uniform(0.008, 0.016))
    t += strength * np.sqrt(np.float32(0.25) + t.clip(0, 1)) * (grain + np.float32(0.45) * chroma)
    seen: Pixels = (t * 255 + np.float32(0.5)).clip(0, 255).astype(np.uint8)
    return seen


CAMERA = Domain(name="cityscapes", number=1, odds=ODDS, look=look, sky=sky, develop=develop)
