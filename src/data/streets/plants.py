"""Trees, bushes and hedges: lobes of foliage with torn outlines, lit from the sun's side."""

import numpy as np

from src.data.streets import noise
from src.data.streets.canvas import Canvas
from src.data.streets.classes import VEGETATION
from src.data.streets.look import RGB
from src.data.streets.things import Thing
from src.data.streets.view import NEAR

BARK: RGB = (84, 68, 54)
REACH = 1.3  # radii from a lobe's middle to its outermost leaf, so that none floats by itself


def draw_plant(canvas: Canvas, thing: Thing) -> None:
    """A trunk with a crown of lobes, or for a bush the lobes alone."""
    rng = np.random.default_rng(thing.seed)
    x, z, tall = thing.x, thing.z, thing.height
    reach = 0.6 * tall
    if z < NEAR or not canvas.sees((x - reach, z), (x + reach, z)):
        return
    if thing.kind == "bush":
        lobes = [(x + rng.uniform(-0.6, 0.6) * tall, rng.uniform(0.35, 0.6) * tall, 0.5 * tall) for _ in range(4)]
    else:
        thick, fork = 0.022 * tall, rng.uniform(0.35, 0.45) * tall
        trunk = [
            (x - thick, 0, z),
            (x + thick, 0, z),
            (x + 0.6 * thick, fork * 1.3, z),
            (x - 0.6 * thick, fork * 1.3, z),
        ]
        canvas.polygon(trunk, BARK, VEGETATION, (0.0, 0.0, -1.0))
        for lean in (-0.12, 0.1):
            branch = [
                (x - thick, fork * 0.8, z),
                (x + thick, fork * 0.8, z),
                (x + lean * tall, 0.75 * tall, z),
            ]
            canvas.polygon(branch, BARK, VEGETATION, (0.0, 0.0, -1.0))
        spread = rng.uniform(0.22, 0.32) * tall
        lobes = [(x, 0.68 * tall, 0.25 * tall)]
        for _ in range(8 if z < 30 else 5 if z < 60 else 2):
            dx, dy = rng.uniform(-1, 1) * spread, rng.uniform(-0.8, 1.0) * 0.2 * tall
            lobes.append((x + dx, 0.68 * tall + dy, rng.uniform(0.09, 0.18) * tall))
    _foliage(canvas, rng, lobes, z, thing.rgb)


def draw_hedge(canvas: Canvas, thing: Thing) -> None:
    """A row of bushes with a flat top."""
    rng = np.random.default_rng(thing.seed)
    side = (-float(thing.side), 0.0, 0.0)
    at = rng.integers(0, noise.SIZE, 2)
    rows = np.arange(max(4, int(thing.height * 14)))[:, None] + at[0]
    columns = np.arange(max(4, int(thing.length * 14)))[None] + at[1]
    leaf = noise.sample(noise.tile(32, 3), rows * 1.5, columns * 1.5)
    tone = 1 + np.float32(canvas.look.leaf_contrast) * (leaf - np.float32(0.5))
    rgb = np.array(thing.rgb) * np.array(canvas.look.leaf)
    texture = (tone[..., None] * rgb.astype(np.float32)).clip(0, 255).astype(np.uint8)
    opaque = np.full((*texture.shape[:2], 1), 255, np.uint8)
    near, far = (thing.x, thing.z), (thing.x, thing.z + thing.length)
    canvas.wall(near, far, 0, thing.height, np.dstack([texture, opaque]), VEGETATION, side)


def _foliage(
    canvas: Canvas, rng: np.random.Generator, lobes: list[tuple[float, float, float]], z: float, rgb: RGB
) -> None:
    """Paint the union of lobes (x, y, radius) at one distance."""
    view, look = canvas.view, canvas.look
    scale = view.focal / z
    discs = [(*view.project(x, y, z), radius * scale) for x, y, radius in lobes]
    height, width = canvas.pixels.shape[:2]
    left = max(0, int(min(u - REACH * r for u, _, r in discs)))
    right = min(width, int(max(u + REACH * r for u, _, r in discs)) + 2)
    top = max(0, int(min(v - REACH * r for _, v, r in discs)))
    bottom = min(height, int(max(v + REACH * r for _, v, r in discs)) + 2)
    if left >= right or top >= bottom:
        return
    u = np.arange(left, right, dtype=np.float32)[None] + np.float32(0.5)
    v = np.arange(top, bottom, dtype=np.float32)[:, None] + np.float32(0.5)
    inside = np.full((bottom - top, right - left), -9, np.float32)
    tone = np.zeros_like(inside)
    for centre_u, centre_v, radius in discs:
        reach = REACH * radius
        columns = slice(max(0, int(centre_u - reach) - left), max(0, int(centre_u + reach) + 1 - left))
        rows = slice(max(0, int(centre_v - reach) - top), max(0, int(centre_v + reach) + 1 - top))
        du = (u[:, columns] - np.float32(centre_u)) / np.float32(radius)
        dv = (v[rows] - np.float32(centre_v)) / np.float32(radius)
        depth = (1 - du * du) - dv * dv
        nearer = depth > inside[rows, columns]
        np.copyto(inside[rows, columns], depth, where=nearer)
        lit_side = np.float32(0.22 * look.sun[0]) * du - np.float32(0.2) * dv
        np.copyto(tone[rows, columns], lit_side, where=nearer)
    texel = np.float32(26 / scale)  # noise texels per pixel: leaves keep their size in metres
    at = rng.integers(0, noise.SIZE, 4).astype(np.float32)
    torn = noise.sample(noise.tile(16, 4), v * texel + at[0], u * texel + at[1]) - np.float32(0.5)
    leaf = noise.sample(noise.tile(32, 3), v * texel * 1.6 + at[2], u * texel * 1.6 + at[3]) - np.float32(0.5)
    mask = inside + np.float32(look.ragged) * torn > np.float32(0.1)
    mask &= inside > 1 - np.float32(REACH**2)
    middle, size = min(v for _, v, _ in discs), max(1.0, discs[0][2])
    crown = (np.float32(middle + size) - v) / np.float32(2.5 * size)  # 0 in the shade below, 1 on top
    tone = np.float32(0.82) + tone + np.float32(0.25) * crown.clip(-1, 1) + np.float32(look.leaf_contrast) * leaf
    lit = np.array([c * f for c, f in zip(rgb, look.leaf, strict=True)], np.float32)
    lit *= np.array(look.light((0.0, 0.6, -0.8)), np.float32)
    clear = np.float32(look.clear(z))
    colour = tone.clip(0.15, 1.7)[..., None] * lit * clear + np.array(look.haze_rgb, np.float32) * (1 - clear)
    region = canvas.pixels[top:bottom, left:right]
    region[..., :3][mask] = colour[mask].clip(0, 255).astype(np.uint8)
    region[..., 3][mask] = VEGETATION
