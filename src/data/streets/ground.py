"""The ground, pixel by pixel: asphalt, markings, kerbs, pavement, grass and the shadows on them."""

import cv2
import numpy as np
import numpy.typing as npt

from src.data.streets import noise
from src.data.streets.canvas import SUBPIXEL, Canvas, outline
from src.data.streets.classes import ROAD, SIDEWALK, TERRAIN
from src.data.streets.look import Pixels
from src.data.streets.road import END, LANE, Road
from src.data.streets.scene import Scene
from src.data.streets.things import Thing

SHADOW_REACH = 70.0  # metres

Mask = npt.NDArray[np.bool_]
Metres = npt.NDArray[np.float32]


def draw_ground(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    """Paint everything below the horizon."""
    view, look, road = canvas.view, canvas.look, scene.road
    top = int(view.horizon) + 2
    rows = np.arange(top, canvas.pixels.shape[0], dtype=np.float32) + np.float32(0.5)
    columns = np.arange(canvas.pixels.shape[1], dtype=np.float32) + np.float32(0.5)
    z = (view.focal * view.height / (rows - view.horizon)).astype(np.float32)[:, None]
    ray = ((columns - view.u0) / view.focal).astype(np.float32)
    x: Metres = (ray - (view.heading + view.bend * z)) * z + np.float32(view.x)

    labels = _zones(road, x, z)
    colours = np.zeros((256, 3), np.float32)
    for label, rgb, wear in zip(
        (ROAD, SIDEWALK, TERRAIN), (look.asphalt, look.paving, look.grass), scene.wear, strict=True
    ):
        colours[label] = np.array(rgb) * wear
    rgb_HWC = colours[labels]
    rgb_HWC *= _texture(labels, x, z, look.grain, rng)[..., None]
    kerb = (labels == SIDEWALK) & ((x > road.kerbs[0] - 0.22) & (x < road.kerbs[1] + 0.22))
    rgb_HWC[kerb] *= np.float32(1.18)
    on_road = labels == ROAD
    paint = _markings(road, x, z) & on_road
    faded = np.float32(1 - 0.45 * look.grain) * (1 - look.grain * noise.sample(noise.tile(32, 3), z * 9, x * 30))
    white = np.array((228, 228, 222), np.float32) * np.float32(0.95)
    share = (np.float32(0.2) + np.float32(0.75) * faded.clip(0, 1))[paint][:, None]
    rgb_HWC[paint] += (white - rgb_HWC[paint]) * share
    if road.yellow:
        centre = paint & (np.abs(x) < 0.4) & ~_near_crossing(road, z)
        rgb_HWC[centre] *= np.array((1.0, 0.78, 0.3), np.float32)

    rgb_HWC *= np.array(look.light((0, 1, 0)), np.float32)
    rgb_HWC *= _shadows(canvas, scene)[top:, :, None]
    clear = np.float32(look.haze) / (np.float32(look.haze) + z)[..., None]
    rgb_HWC = rgb_HWC * clear + np.array(look.haze_rgb, np.float32) * (1 - clear)
    canvas.pixels[top:, :, :3] = rgb_HWC.clip(0, 255).astype(np.uint8)
    canvas.pixels[top:, :, 3] = labels


def _in_crossing(road: Road, z: Metres) -> Mask:
    if road.crossing is None:
        return np.zeros_like(z, dtype=bool)
    return (z > road.crossing) & (z < road.crossing + road.crossing_width)


def _near_crossing(road: Road, z: Metres) -> Mask:
    """Where stop line and zebra take the place of the centre line."""
    if road.crossing is None:
        return np.zeros_like(z, dtype=bool)
    return (z > road.crossing - 5.1) & (z < road.crossing + road.crossing_width)


def _zones(road: Road, x: Metres, z: Metres) -> Pixels:
    """Label of every ground pixel from its place."""
    (left, right), (pave_left, pave_right) = road.kerbs, road.pavements
    labels = np.full(np.broadcast_shapes(x.shape, z.shape), TERRAIN, np.uint8)
    inner = (x > left - pave_left) & (x < right + pave_right)
    # without a verge the pavement runs on to the houses
    if not road.verges[0]:
        inner |= (x < 0) & (x > road.lots(-1) - 2)
    if not road.verges[1]:
        inner |= (x > 0) & (x < road.lots(1) + 2)
    labels[inner] = SIDEWALK
    labels[(x > left) & (x < right)] = ROAD
    if road.crossing is not None:
        pavement = (z > road.crossing - 2) & (z < road.crossing + road.crossing_width + 2)
        labels[pavement & (labels == TERRAIN)] = SIDEWALK
        labels[_in_crossing(road, z) & (np.abs(x) < 70)] = ROAD
    labels[np.broadcast_to(z > END, labels.shape)] = TERRAIN
    return labels


def _markings(road: Road, x: Metres, z: Metres) -> Mask:
    """Where the road is painted."""
    dash = (z % 9.0) < 4.0
    wide = 0.085
    lines = (np.abs(x) < wide) & (dash | road.solid)
    for k in range(1, road.lanes[0]):
        lines |= (np.abs(x + LANE * k) < wide) & dash
    for k in range(1, road.lanes[1]):
        lines |= (np.abs(x - LANE * k) < wide) & dash
    for kerb, parking, side in zip(road.kerbs, road.parking, (-1, 1), strict=True):
        lines |= (np.abs(x - (kerb - side * (2.25 if parking else 0.3))) < 0.06) & (parking | (z > 0))
    if road.crossing is not None:
        lines &= ~((z > road.crossing - 4.2) & (z < road.crossing + road.crossing_width))
        lines |= (np.abs(z - (road.crossing - 4.8)) < 0.25) & (x > 0.1)
        if road.zebra:
            lines |= (z > road.crossing - 3.8) & (z < road.crossing - 0.8) & (x % 1.1 < 0.55)
    return lines


def _texture(labels: Pixels, x: Metres, z: Metres, grain: float, rng: np.random.Generator) -> Metres:
    """Brightness around 1: slabs on the pavement, blades in the grass, and grain, patches and tyre marks."""
    at = [float(rng.integers(noise.SIZE)) for _ in range(4)]
    fine = noise.sample(noise.tile(64, 2), z * 14 + at[0], x * 28 + at[1]) - np.float32(0.5)
    broad = noise.sample(noise.tile(8, 4), z * 5 + at[2], x * 12 + at[3]) - np.float32(0.5)
    texture: Metres = 1 + np.float32(0.06 + 0.34 * grain) * fine + np.float32(0.08 + 0.26 * grain) * broad
    texture[labels == TERRAIN] += ((np.float32(0.3) + np.float32(0.3 * grain)) * fine)[labels == TERRAIN]
    slabs = ((z % 0.8 < 0.07) | (x % 0.8 < 0.05)) & (labels == SIDEWALK) & (z < 22)
    texture[slabs] *= np.float32(0.86)
    wheels = np.abs(np.abs(x % LANE - LANE / 2) - 0.8) < 0.35
    texture[wheels & (labels == ROAD)] *= np.float32(1 - 0.07 * grain - 0.02)
    patch_z, patch_x = rng.uniform(5, 30), rng.uniform(-4, 4)
    patch = (np.abs(z - patch_z) < 2.5) & (np.abs(x - patch_x) < 0.9) & (labels == ROAD)
    texture[patch] *= np.float32(0.86)
    return texture


def _shadows(canvas: Canvas, scene: Scene) -> Metres:
    """What is left of the light on the ground, in (0, 1] over the whole picture."""
    look = canvas.look
    mask = np.zeros(canvas.pixels.shape[:2], np.uint8)
    for thing in scene.things:
        if thing.z > SHADOW_REACH:
            continue
        for points, strength in _footprints(thing, canvas):
            shape = outline(canvas.view, [(x, 0.0, z) for x, z in points])
            if shape is not None:
                cv2.fillPoly(mask, [shape], int(strength * 255), cv2.LINE_8, SUBPIXEL)
    if look.shadow_blur > 1:
        mask = cv2.GaussianBlur(mask, (look.shadow_blur, look.shadow_blur // 2 | 1), 0).astype(np.uint8)
    kept: Metres = 1 - mask.astype(np.float32) * np.float32((1 - look.shadow) / 255)
    return kept


def _footprints(thing: Thing, canvas: Canvas) -> list[tuple[list[tuple[float, float]], float]]:
    """Ground polygons, as (x, z) points, that a thing darkens, and how much of the full shadow each is."""
    sun = canvas.look.sun
    per_metre = (-sun[0] / sun[1], -sun[2] / sun[1])  # how far a shadow reaches, per metre of height
    x, z = thing.x, thing.z
    if thing.kind in ("car", "van", "truck", "bus"):
        half = 1.3 if thing.kind in ("truck", "bus") else 0.95
        across = thing.length if thing.quarters % 2 else 2 * half
        along = 2 * half if thing.quarters % 2 else thing.length
        x0, x1, z0, z1 = x - across / 2, x + across / 2, z - along / 2, z + along / 2
        under = [(x0, z0 - 0.15), (x1, z0 - 0.15), (x1, z1), (x0, z1)]
        if not canvas.look.cast:
            return [(under, 1.0)]
        dx, dz = (reach * thing.height * 0.8 for reach in per_metre)
        thrown = [(x0 + max(dx, 0), z0 + dz), (x1 + max(dx, 0), z0 + dz), (x1 + max(dx, 0), z1), (x0, z1)]
        if dx < 0:
            thrown = [(x0 + dx, z0 + dz), (x1, z0 + dz), (x1, z1), (x0 + dx, z1)]
        return [(thrown, 1.0), (under, 1.0)]
    if thing.kind in ("tree", "bush"):
        radius = 0.3 * thing.height
        dx, dz = (reach * thing.height * 0.7 * canvas.look.cast for reach in per_metre)
        ring = [
            (1, 0),
            (0.7, 0.75),
            (0.1, 0.95),
            (-0.6, 0.8),
            (-1, 0.1),
            (-0.8, -0.65),
            (0, -1),
            (0.75, -0.7),
        ]
        return [
            ([(x + dx + radius * (a * size + du), z + dz + radius * (b * size + dv)) for a, b in ring], 0.9)
            for size, du, dv in (
                (0.7, 0.0, 0.1),
                (0.5, 0.6, -0.3),
                (0.45, -0.55, 0.35),
                (0.4, 0.2, 0.75),
                (0.4, -0.3, -0.6),
            )
        ]
    if thing.kind in ("house", "wall", "hedge") and canvas.look.cast and thing.side * sun[0] > 0:
        dx = per_metre[0] * thing.height
        return [([(x, z), (x, z + thing.length), (x + dx, z + thing.length), (x + dx, z)], 1.0)]
    if thing.kind in ("person", "lamp", "sign", "light", "bollard") or "cycle" in thing.kind:
        wide = 0.22 if thing.kind == "person" or "cycle" in thing.kind else 0.06
        dx, dz = (reach * thing.height for reach in per_metre)
        if not canvas.look.cast:
            return [([(x - 0.35, z - 0.2), (x + 0.35, z - 0.2), (x + 0.35, z + 0.2), (x - 0.35, z + 0.2)], 0.6)]
        return [([(x, z - wide), (x, z + wide), (x + dx, z + dz + wide), (x + dx, z + dz - wide)], 1.0)]
    return []
