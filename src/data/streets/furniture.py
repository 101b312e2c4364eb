"""Street furniture: lamps, signs, traffic lights and bollards."""

import numpy as np

from src.data.streets.canvas import Canvas
from src.data.streets.classes import LIGHT, POLE, SIGN
from src.data.streets.look import RGB
from src.data.streets.things import Thing

WHITE: RGB = (232, 232, 230)
PLATES: tuple[tuple[str, RGB, RGB], ...] = (
    ("disc", (196, 30, 34), WHITE),
    ("disc", (30, 80, 170), (40, 96, 190)),
    ("square", (30, 84, 170), WHITE),
    ("triangle", (196, 30, 34), WHITE),
    ("square", (236, 190, 40), (236, 190, 40)),
    ("board", (28, 100, 64), (34, 110, 70)),
)


def _post(canvas: Canvas, thing: Thing, half: float, tall: float) -> None:
    x, z = thing.x, thing.z
    post = [(x - half, 0.0, z), (x + half, 0.0, z), (x + half * 0.8, tall, z), (x - half * 0.8, tall, z)]
    canvas.polygon(post, thing.rgb, POLE, (0.6 * -thing.side, 0.0, -0.8))


def _plate(
    canvas: Canvas, thing: Thing, x: float, rows: tuple[float, float], half: float, rgb: RGB, label: int
) -> None:
    z = thing.z - 0.05
    corners = [(x - half, rows[0], z), (x + half, rows[0], z), (x + half, rows[1], z), (x - half, rows[1], z)]
    canvas.polygon(corners, rgb, label)


def draw_lamp(canvas: Canvas, thing: Thing) -> None:
    """A mast with an arm over the road."""
    _post(canvas, thing, 0.09, thing.height)
    x, y, z, reach = thing.x, thing.height, thing.z, -thing.side * 1.8
    canvas.polygon(
        [(x, y - 0.12, z), (x + reach, y + 0.18, z), (x + reach, y + 0.28, z), (x, y + 0.04, z)],
        thing.rgb,
        POLE,
    )
    _plate(canvas, thing, x + reach, (y + 0.12, y + 0.3), 0.4, (204, 206, 204), POLE)


def draw_bollard(canvas: Canvas, thing: Thing) -> None:
    """A short post."""
    _post(canvas, thing, 0.08, thing.height)


def draw_sign(canvas: Canvas, thing: Thing) -> None:
    """A traffic sign, round, square, three-cornered or a board."""
    rng = np.random.default_rng(thing.seed)
    form, rim, field = PLATES[int(rng.integers(len(PLATES)))]
    _post(canvas, thing, 0.045, thing.height + 0.2)
    x, y, z = thing.x, thing.height, thing.z - 0.05
    if form == "disc":
        canvas.disc(x, y, z, 0.36, rim, SIGN)
        canvas.disc(x, y, z, 0.25, field, SIGN)
    elif form == "triangle":
        for size, rgb in ((0.42, rim), (0.24, field)):
            points = [(x - size, y - 0.6 * size, z), (x + size, y - 0.6 * size, z), (x, y + 1.1 * size, z)]
            canvas.polygon(points, rgb, SIGN)
    else:
        wide = 0.8 if form == "board" else 0.32
        _plate(canvas, thing, x, (y - 0.34, y + 0.34), wide, rim, SIGN)
        _plate(canvas, thing, x, (y - 0.2, y + 0.2), wide * 0.72, field, SIGN)


def draw_light(canvas: Canvas, thing: Thing) -> None:
    """A traffic light, with a second head on an arm if the post is tall."""
    rng = np.random.default_rng(thing.seed)
    lit = int(rng.integers(2)) * 2
    _post(canvas, thing, 0.07, thing.height)
    heads = [(thing.x, min(thing.height, 2.9))]
    if thing.height > 4:
        reach = thing.x - thing.side * 2.6
        _plate(canvas, thing, (thing.x + reach) / 2, (thing.height - 0.14, thing.height), 1.3, thing.rgb, POLE)
        heads.append((reach, thing.height + 0.3))
    for x, top in heads:
        _plate(canvas, thing, x, (top - 1.0, top), 0.2, (24, 26, 24), LIGHT)
        for k, rgb in enumerate(((240, 40, 30), (240, 180, 40), (60, 230, 120))):
            shown = rgb if k == lit else (rgb[0] * 0.22, rgb[1] * 0.22, rgb[2] * 0.22)
            canvas.disc(x, top - 0.18 - 0.32 * k, thing.z - 0.06, 0.12, shown, LIGHT)
