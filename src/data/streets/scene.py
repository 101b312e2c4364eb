"""Random road scenes: what stands where, before anything is painted."""

from dataclasses import dataclass

import numpy as np

from src.data.streets.look import RGB, Odds
from src.data.streets.road import LANE, Road, random_road
from src.data.streets.roadside import line_road
from src.data.streets.things import Thing
from src.data.streets.traffic import fill_road
from src.data.streets.view import HEIGHT, SCALE, WIDTH, View


@dataclass(frozen=True)
class Scene:
    """All of one picture except its look."""

    view: View
    road: Road
    things: tuple[Thing, ...]  # from far to near
    skyline: tuple[tuple[float, float, bool], ...]  # width and height in metres, and whether it is trees
    wear: RGB  # brightness of road, pavement and grass relative to the look's


def random_scene(rng: np.random.Generator, odds: Odds) -> Scene:
    """Draw a scene; every number comes from the generator given."""
    road = random_road(rng)
    lane = LANE * (0.5 + int(rng.integers(road.lanes[1])))
    view = View(
        focal=WIDTH * SCALE * rng.uniform(0.74, 0.9),
        u0=WIDTH * SCALE * rng.uniform(0.44, 0.56),
        horizon=HEIGHT * SCALE * rng.uniform(0.42, 0.5),
        height=rng.uniform(1.3, 1.7),
        x=lane + rng.uniform(-0.4, 0.4),
        heading=rng.normal() * 0.03,
        bend=rng.normal() * 0.0005,
    )
    things = line_road(rng, odds, road) + fill_road(rng, road, lane)
    skyline = [(rng.uniform(8, 30), rng.uniform(3, 16), bool(rng.random() < 0.5)) for _ in range(30)]
    return Scene(
        view=view,
        road=road,
        things=tuple(sorted(things, key=lambda thing: -thing.depth)),
        skyline=tuple(skyline),
        wear=(rng.uniform(0.85, 1.12), rng.uniform(0.88, 1.1), rng.uniform(0.85, 1.15)),
    )
