"""Who uses the road: parked, driving and crossing vehicles, people on foot and on two wheels."""

import numpy as np

from src.data.streets.look import RGB
from src.data.streets.road import LANE, Road
from src.data.streets.things import Thing, new_seed, vary

PAINTS: tuple[RGB, ...] = (
    (40, 40, 43),
    (66, 68, 72),
    (120, 124, 128),
    (176, 178, 180),
    (232, 232, 230),
    (150, 28, 30),
    (34, 60, 120),
    (60, 84, 72),
    (196, 160, 60),
    (90, 70, 60),
)
LIVERIES: tuple[RGB, ...] = ((206, 172, 50), (184, 52, 46), (216, 216, 210), (58, 104, 164), (90, 140, 96))
CLOTHES: tuple[RGB, ...] = (
    (40, 44, 60),
    (150, 40, 44),
    (60, 80, 130),
    (200, 196, 186),
    (70, 90, 60),
    (24, 24, 26),
    (190, 130, 60),
)
HEIGHTS = {"car": 1.48, "van": 2.1, "truck": 3.3, "bus": 3.1, "bicycle": 1.0, "motorcycle": 1.1}
AWAY, LEFTWARDS, TOWARDS, RIGHTWARDS = range(4)  # quarter turns


def fill_road(rng: np.random.Generator, road: Road, lane: float) -> list[Thing]:
    """Everything that moves or could; `lane` is the middle of our own."""
    return _parked(rng, road) + _driving(rng, road, lane) + _two_wheels(rng, road) + _walking(rng, road)


def _vehicle(rng: np.random.Generator, x: float, z: float, quarters: int, *, large: float) -> Thing:
    """A car, or with some chance something larger."""
    kind = "car"
    if rng.random() < large:
        kind = str(rng.choice(["van", "van", "truck", "bus"]))
    length = {"car": 4.3, "van": 5.0, "truck": 7.5, "bus": 11.0}[kind] * rng.uniform(0.93, 1.07)
    height = HEIGHTS[kind] * rng.uniform(0.94, 1.1)
    return Thing(
        kind=kind,
        x=x,
        z=z,
        depth=z,
        height=height,
        rgb=vary(rng, LIVERIES if kind in ("truck", "bus") else PAINTS),
        seed=new_seed(rng),
        length=length,
        quarters=quarters,
    )


def _parked(rng: np.random.Generator, road: Road) -> list[Thing]:
    """Cars along the kerbs, facing as the lane beside them does."""
    things: list[Thing] = []
    for i, side in enumerate((-1, 1)):
        full = rng.uniform(0.35, 0.95) if road.parking[i] else 0.0
        z = rng.uniform(4, 9)
        while z < 75:
            if rng.random() < full and not road.in_crossing(z, 5):
                x = road.kerbs[i] - side * rng.uniform(1.05, 1.25)
                things.append(_vehicle(rng, x, z, AWAY if side > 0 else TOWARDS, large=0.05))
            z += rng.uniform(5.6, 7.0)
    return things


def _driving(rng: np.random.Generator, road: Road, lane: float) -> list[Thing]:
    """Traffic ahead, beside and against us, and now and then across."""
    things: list[Thing] = []
    for side, quarters in ((-1, TOWARDS), (1, AWAY)):
        for k in range(road.lanes[int(side > 0)]):
            x = side * LANE * (k + 0.5)
            busy = rng.uniform(0.15, 0.9)
            z = rng.uniform(9, 22) if abs(x - lane) < 1 else rng.uniform(5, 20)
            while z < 100:
                if rng.random() < busy:
                    things.append(_vehicle(rng, x + rng.uniform(-0.3, 0.3), z, quarters, large=0.13))
                z += rng.uniform(10, 30)
    if road.crossing is not None and rng.random() < 0.45:
        middle = road.crossing + road.crossing_width / 2
        quarters = LEFTWARDS if rng.random() < 0.5 else RIGHTWARDS
        z = middle + (1.6 if quarters == LEFTWARDS else -1.6)
        things = [t for t in things if abs(t.z - middle) > 10]
        things.append(_vehicle(rng, rng.uniform(-9, 9), z, quarters, large=0.15))
    return things


def _two_wheels(rng: np.random.Generator, road: Road) -> list[Thing]:
    """Ridden ones near the kerb, parked ones on the pavement."""
    things: list[Thing] = []
    for _ in range(int(rng.poisson(1.1))):
        i = int(rng.integers(2))
        side = 2 * i - 1
        ridden = rng.random() < 0.5
        kind = "bicycle" if rng.random() < 0.65 else "motorcycle"
        x = road.kerbs[i] + side * (-2.2 * road.parking[i] - 0.7 if ridden else rng.uniform(0.6, 1.2))
        turn = (AWAY if side > 0 else TOWARDS) if ridden else int(rng.integers(4))
        z = rng.uniform(6, 35)
        rgb = vary(rng, CLOTHES)
        things.append(
            Thing(
                kind=kind + (" with rider" if ridden else ""),
                x=x,
                z=z,
                depth=z,
                height=HEIGHTS[kind],
                rgb=rgb,
                seed=new_seed(rng),
                quarters=turn,
            )
        )
    return things


def _walking(rng: np.random.Generator, road: Road) -> list[Thing]:
    """People on the pavements, and some on the zebra."""
    things: list[Thing] = []

    def add(x: float, z: float) -> None:
        height = rng.uniform(1.55, 1.9) if rng.random() < 0.9 else rng.uniform(1.0, 1.4)
        rgb, turn = vary(rng, CLOTHES), int(rng.integers(4))
        things.append(
            Thing(kind="person", x=x, z=z, depth=z, height=height, rgb=rgb, seed=new_seed(rng), quarters=turn)
        )

    for i, side in enumerate((-1, 1)):
        for _ in range(int(rng.poisson(2.2))):
            x = road.kerbs[i] + side * rng.uniform(0.8, road.pavements[i] - 0.2)
            z = rng.uniform(6, 50)
            for k in range(1 + int(rng.random() < 0.35)):
                add(x + 0.6 * k, z + 0.2 * k)
    if road.crossing is not None and rng.random() < 0.35:
        for _ in range(int(rng.integers(1, 4))):
            add(rng.uniform(*road.kerbs), road.crossing - rng.uniform(1.0, 3.5))
    return things
