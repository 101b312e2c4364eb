"""People on foot, and bicycles and motorcycles with or without their riders."""

import numpy as np

from src.data.streets.canvas import Canvas
from src.data.streets.classes import BICYCLE, MOTORCYCLE, PERSON, RIDER
from src.data.streets.look import RGB
from src.data.streets.things import Thing

SKINS: tuple[RGB, ...] = ((224, 184, 156), (190, 142, 110), (128, 88, 64), (236, 200, 176))
TROUSERS: tuple[RGB, ...] = ((36, 42, 62), (28, 28, 30), (86, 78, 66), (60, 72, 96))
HAIRS: tuple[RGB, ...] = ((30, 24, 20), (80, 54, 34), (150, 120, 76), (110, 108, 106))


def draw_person(canvas: Canvas, thing: Thing) -> None:
    """A figure standing or walking, seen flat."""
    rng = np.random.default_rng(thing.seed)
    stride = rng.uniform(0.02, 0.11) if thing.quarters % 2 else rng.uniform(0.0, 0.03)
    colours = [table[int(rng.integers(len(table)))] for table in (SKINS, TROUSERS, HAIRS)]
    _figure(canvas, (thing.x, thing.z), 0.0, thing.height, thing.rgb, colours, stride, PERSON)


def _figure(
    canvas: Canvas,
    at: tuple[float, float],
    ground: float,
    tall: float,
    coat: RGB,
    colours: list[RGB],
    stride: float,
    label: int,
) -> None:
    """Legs, trunk, arms and head; widths are shares of the height."""
    x, z = at
    skin, trousers, hair = colours

    def limb(*corners: tuple[float, float], rgb: RGB) -> None:
        canvas.polygon([(x + a * tall, ground + b * tall, z) for a, b in corners], rgb, label, (0.0, 0.3, -0.95))

    for side in (-1, 1):
        foot = side * (0.045 + stride)
        limb((side * 0.005, 0.5), (side * 0.1, 0.5), (foot + 0.035, 0.0), (foot - 0.035, 0.0), rgb=trousers)
        limb((foot - 0.04, 0.03), (foot + 0.04, 0.03), (foot + 0.04, 0.0), (foot - 0.04, 0.0), rgb=(24, 22, 22))
    limb((-0.11, 0.82), (0.11, 0.82), (0.1, 0.46), (-0.1, 0.46), rgb=coat)
    sleeve = (coat[0] * 0.78, coat[1] * 0.78, coat[2] * 0.78)
    for side in (-1, 1):
        hand = side * (0.15 + stride)
        limb((side * 0.1, 0.82), (side * 0.14, 0.8), (hand + 0.02, 0.48), (hand - 0.025, 0.48), rgb=sleeve)
    limb((-0.025, 0.86), (0.025, 0.86), (0.025, 0.8), (-0.025, 0.8), rgb=skin)
    canvas.disc(x, ground + 0.915 * tall, z, 0.075 * tall, hair, label)
    canvas.disc(x, ground + 0.9 * tall, z - 0.01, 0.06 * tall, skin, label)


def draw_cycle(canvas: Canvas, thing: Thing) -> None:
    """A bicycle or motorcycle, from the side or from an end, perhaps ridden."""
    rng = np.random.default_rng(thing.seed)
    motor = thing.kind.startswith("motorcycle")
    label = MOTORCYCLE if motor else BICYCLE
    x, z, frame = thing.x, thing.z, thing.rgb
    sideways, radius = thing.quarters % 2 == 1, 0.31 if motor else 0.34
    seat = 0.78 if motor else 0.92
    ridden = thing.kind.endswith("rider")
    colours = [table[int(rng.integers(len(table)))] for table in (SKINS, TROUSERS, HAIRS)]
    if ridden and not sideways:
        _figure(canvas, (x, z + 0.1), 0.22, rng.uniform(1.55, 1.75), thing.rgb, colours, 0.0, RIDER)

    def bar(a: tuple[float, float], b: tuple[float, float], thick: float, rgb: RGB) -> None:
        run = float(np.hypot(b[0] - a[0], b[1] - a[1]))
        nx, ny = -(b[1] - a[1]) / run * thick / 2, (b[0] - a[0]) / run * thick / 2
        ends = (
            (a[0] + nx, a[1] + ny),
            (b[0] + nx, b[1] + ny),
            (b[0] - nx, b[1] - ny),
            (a[0] - nx, a[1] - ny),
        )
        canvas.polygon([(x + s, max(h, 0.0), z) for s, h in ends], rgb, label)

    if sideways:
        for s in (-0.52, 0.52):
            canvas.disc(x + s, radius, z, radius, (24, 24, 24), label)
            canvas.disc(x + s, radius, z, radius * (0.55 if motor else 0.78), (120, 120, 122), label)
        thick = 0.26 if motor else 0.06
        bar((-0.52, radius), (-0.1, seat - 0.1), 0.05, frame)
        bar((-0.15, seat * 0.62), (0.35, seat * 0.72), thick, frame)
        bar((0.52, radius), (0.36, 0.98), 0.06, frame)
        bar((-0.1, 0.3), (0.35, 0.75), 0.06, frame)
        bar((-0.32, seat), (0.02, seat), 0.08, (20, 20, 20))
        bar((0.25, 1.0), (0.42, 1.0), 0.05, (40, 40, 40))
        if ridden:
            _figure(canvas, (x - 0.05, z), 0.3, 1.5, thing.rgb, colours, 0.06, RIDER)
        return
    bar((0.0, 0.0), (0.0, 2 * radius), 0.18 if motor else 0.07, (24, 24, 24))
    bar((0.0, 0.4), (0.0, seat), 0.34 if motor else 0.08, frame)
    bar((-0.3, 0.98), (0.3, 0.98), 0.06, (40, 40, 40))
    if motor:
        bar((-0.1, 0.7), (0.1, 0.7), 0.12, (190, 30, 26) if thing.quarters == 0 else (236, 232, 210))
