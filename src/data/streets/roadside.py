"""What lines a road: houses and open lots, rows of trees, lamps, signs and traffic lights."""

import numpy as np

from src.data.streets.look import RGB, Odds
from src.data.streets.road import END, Road
from src.data.streets.things import Thing, new_seed, vary

STOREY = 3.1  # metres
FACADES: tuple[RGB, ...] = (
    (206, 190, 160),
    (188, 172, 150),
    (214, 206, 192),
    (168, 108, 84),
    (150, 92, 74),
    (196, 164, 116),
    (160, 160, 164),
    (178, 184, 186),
    (204, 152, 118),
    (142, 138, 128),
    (222, 212, 178),
    (128, 120, 116),
)
GREENS: tuple[RGB, ...] = ((74, 112, 44), (88, 122, 46), (62, 98, 46), (104, 124, 52), (56, 88, 40))
WALLS: tuple[RGB, ...] = ((170, 160, 146), (140, 104, 86), (150, 150, 150), (190, 180, 164))
FENCES: tuple[RGB, ...] = ((52, 60, 56), (120, 92, 64), (70, 72, 76), (150, 120, 84), (190, 190, 186))
GREY: RGB = (112, 116, 118)


def line_road(rng: np.random.Generator, odds: Odds, road: Road) -> list[Thing]:
    """Both sides of the road."""
    things: list[Thing] = []
    for side in (-1, 1):
        things += _lots(rng, odds, road, side)
        things += _trees(rng, odds, road, side)
        things += _furniture(rng, road, side)
    return things


def _lots(rng: np.random.Generator, odds: Odds, road: Road, side: int) -> list[Thing]:
    """Houses and open lots one behind the other, with a gap for the side street."""
    things: list[Thing] = []
    z = rng.uniform(-8, 0)
    setback = rng.uniform(0, 1.5)
    next_height = 0.0  # of the house that touches this one and is nearer to us
    usual = int(rng.integers(odds.floors[0], odds.floors[1] + 1))
    while z < END:
        length = rng.uniform(9, 24)
        start = road.crossing
        if start is not None and z < start + road.crossing_width and z + length > start - 2:
            length = start - 2 - z
            if length < 4:
                z, next_height = start + road.crossing_width + 2, 0.0
                continue
        x = road.lots(side) + side * setback
        if rng.random() < odds.open_lot:
            things += _open_lot(rng, odds, x, z, length, side)
            next_height = 0.0
        else:
            floors = min(odds.floors[1], max(1, usual + int(rng.integers(-1, 2))))
            height = STOREY * floors + rng.uniform(0.6, 1.8)
            things.append(
                Thing(
                    kind="house",
                    x=x,
                    z=z,
                    depth=z + length,
                    height=height,
                    covered=next_height >= height,
                    rgb=vary(rng, FACADES),
                    seed=new_seed(rng),
                    length=length,
                    side=side,
                )
            )
            next_height = height
        z += length
        if rng.random() < 0.2:
            setback, next_height = rng.uniform(0, 4), 0.0
    return things


def _open_lot(rng: np.random.Generator, odds: Odds, x: float, z: float, length: float, side: int) -> list[Thing]:
    """A fence, wall or hedge along the pavement and what grows behind it."""
    things: list[Thing] = []
    kind = str(rng.choice(["fence", "fence", "wall", "hedge", "none"]))
    if kind != "none":
        rgb = vary(rng, {"fence": FENCES, "wall": WALLS, "hedge": GREENS}[kind])
        height = rng.uniform(0.9, 2.2)
        things.append(
            Thing(
                kind=kind,
                x=x,
                z=z,
                depth=z + length,
                height=height,
                rgb=rgb,
                seed=new_seed(rng),
                length=length,
                side=side,
            )
        )
    at = z + rng.uniform(0, 5)
    while at < z + length:
        if rng.random() < odds.bush:
            tall = rng.uniform(3, 10) if rng.random() < 0.7 else rng.uniform(1.0, 2.2)
            things.append(_tree(rng, x + side * rng.uniform(2.5, 10), at, tall))
        at += rng.uniform(3, 7)
    return things


def _tree(rng: np.random.Generator, x: float, z: float, height: float) -> Thing:
    kind = "tree" if height > 2.5 else "bush"
    return Thing(kind=kind, x=x, z=z, depth=z, height=height, rgb=vary(rng, GREENS), seed=new_seed(rng))


def _trees(rng: np.random.Generator, odds: Odds, road: Road, side: int) -> list[Thing]:
    """A row of trees along the kerb or on the verge, of one kind and nearly one age."""
    things: list[Thing] = []
    if rng.random() >= odds.tree_row:
        return things
    i = int(side > 0)
    offset = road.pavements[i] + 0.5 * road.verges[i] if road.verges[i] else 0.8
    height = rng.uniform(6, 11.5)
    z = rng.uniform(4, 12)
    while z < END - 45:
        if not road.in_crossing(z, 2) and rng.random() < 0.85:
            x = road.kerbs[i] + side * (offset + rng.uniform(-0.2, 0.2))
            things.append(_tree(rng, x, z, height * rng.uniform(0.8, 1.15)))
        z += odds.tree_gap * rng.uniform(0.8, 1.3)
    return things


def _furniture(rng: np.random.Generator, road: Road, side: int) -> list[Thing]:
    """Lamps at a steady distance, some signs, and lights at the side street."""
    things: list[Thing] = []
    kerb = road.kerbs[int(side > 0)] + side * 0.45

    def add(kind: str, z: float, height: float) -> None:
        if z < END and not road.in_crossing(z):
            things.append(
                Thing(
                    kind=kind,
                    x=kerb,
                    z=z,
                    depth=z,
                    height=height,
                    rgb=vary(rng, (GREY,), 0.3),
                    seed=new_seed(rng),
                    side=side,
                )
            )

    if rng.random() < 0.7:
        spacing, tall = rng.uniform(18, 32), rng.uniform(5.5, 8.5)
        for k in range(6):
            add("lamp", 6 + spacing * (k + 0.3), tall)
    for _ in range(int(rng.integers(1, 5))):
        add("sign", rng.uniform(7, 70), rng.uniform(2.3, 3.1))
    for _ in range(int(rng.integers(0, 4))):
        add("bollard", rng.uniform(6, 40), rng.uniform(0.8, 1.1))
    if road.crossing is not None and rng.random() < 0.7:
        add("light", road.crossing - 1.5, rng.uniform(3.2, 5.5))
        add("light", road.crossing + road.crossing_width + 1.0, rng.uniform(3.2, 5.5))
    return things
