"""Houses, walls and fences: upright planes along the road."""

import numpy as np

from src.data.streets.canvas import Canvas
from src.data.streets.classes import BUILDING, FENCE, WALL
from src.data.streets.facade import facade, rough
from src.data.streets.look import RGB, Pixels
from src.data.streets.roadside import STOREY
from src.data.streets.things import Thing

ROOFS: tuple[RGB, ...] = ((120, 66, 52), (84, 80, 80), (104, 84, 70), (64, 64, 70))
DEPTH = 11.0  # metres from the facade to the back


def draw_house(canvas: Canvas, thing: Thing) -> None:
    """Roof, the gable end that faces us, and the facade along the road."""
    rng = np.random.default_rng(thing.seed)
    x, z, top, side = thing.x, thing.z, thing.height, thing.side
    end, back = z + thing.length, x + side * DEPTH
    inward: tuple[float, float, float] = (-float(side), 0.0, 0.0)
    if rng.random() < 0.5:
        roof, ridge, rise = ROOFS[int(rng.integers(len(ROOFS)))], x + side * DEPTH / 2, rng.uniform(2, 4.5)
        slope = (-side * 0.6, 0.8, 0.0)
        canvas.polygon([(x, top, z), (back, top, z), (ridge, top + rise, z)], thing.rgb, BUILDING)
        points = [(x, top, z), (x, top, end), (ridge, top + rise, end), (ridge, top + rise, z)]
        canvas.polygon(points, roof, BUILDING, slope)
    floors = max(1, int((top - 0.5) / STOREY))
    density = texels(canvas, thing)
    a, b = ((x, z), (back, z)) if side > 0 else ((back, z), (x, z))
    if z > 1 and not thing.covered and canvas.sees(a, b):
        blank = rough(rng, canvas.look, (int(DEPTH * density / 2), int(top * density / 2)), thing.rgb)
        if rng.random() < 0.5:
            blank = facade(rng, canvas.look, (DEPTH, top), floors, thing.rgb, density)
        canvas.wall(a, b, 0, top, blank, BUILDING)
    if not canvas.sees((x, z), (x, end)):
        return
    front = facade(rng, canvas.look, (thing.length, top), floors, thing.rgb, density)
    canvas.wall((x, z), (x, end), 0, top, front, BUILDING, inward)


def texels(canvas: Canvas, thing: Thing) -> float:
    """Texels per metre that suit a thing's distance and keep its texture small."""
    wanted = canvas.view.focal / max(thing.z + 0.3 * thing.length, 6.0)
    return float(np.clip(min(wanted, (50_000 / (thing.length * thing.height)) ** 0.5), 3, 20))


def draw_wall(canvas: Canvas, thing: Thing) -> None:
    """A garden wall with a coping, or a fence one can see through."""
    rng = np.random.default_rng(thing.seed)
    density = texels(canvas, thing)
    size = (max(4, int(thing.length * density)), max(4, int(thing.height * density)))
    texture = rough(rng, canvas.look, size, thing.rgb)
    label = WALL
    if thing.kind == "wall":
        texture[: max(1, size[1] // 9)] = np.minimum(texture[: max(1, size[1] // 9)] * 1.2, 255)
    else:
        label = FENCE
        texture = np.dstack([texture, _bars(size, density, solid=rng.random() < 0.4)])
    ends = (thing.x, thing.z), (thing.x, thing.z + thing.length)
    canvas.wall(*ends, 0, thing.height, texture, label, (-float(thing.side), 0.0, 0.0))


def _bars(size: tuple[int, int], density: float, *, solid: bool) -> Pixels:
    """Opacity of a fence: planks with narrow gaps, or thin bars between two rails."""
    columns = np.arange(size[0]) / density
    filled = columns % 0.25 < (0.21 if solid else 0.09)
    opacity = np.repeat(filled[None] * np.uint8(255), size[1], axis=0).astype(np.uint8)
    rail = max(1, size[1] // 12)
    opacity[rail : 2 * rail] = opacity[-2 * rail : -rail] = 255
    opacity[:, columns % 3.0 < 0.14] = 255
    return opacity
