"""One frame: a random scene, painted from far to near, then developed as its domain does."""

from collections.abc import Callable

import cv2
import numpy as np

from src.data.streets.canvas import Canvas
from src.data.streets.classes import BUILDING, SKY, VEGETATION
from src.data.streets.furniture import draw_bollard, draw_lamp, draw_light, draw_sign
from src.data.streets.ground import draw_ground
from src.data.streets.houses import draw_house, draw_wall
from src.data.streets.look import RGB, Domain, Pixels
from src.data.streets.people import draw_cycle, draw_person
from src.data.streets.plants import draw_hedge, draw_plant
from src.data.streets.road import END
from src.data.streets.scene import Scene, random_scene
from src.data.streets.things import Thing
from src.data.streets.vehicles import draw_bus, draw_car, draw_truck
from src.data.streets.view import HEIGHT, SCALE, WIDTH

SEED = 20200730

DRAW: dict[str, Callable[[Canvas, Thing], None]] = {
    "house": draw_house,
    "wall": draw_wall,
    "fence": draw_wall,
    "hedge": draw_hedge,
    "tree": draw_plant,
    "bush": draw_plant,
    "lamp": draw_lamp,
    "sign": draw_sign,
    "light": draw_light,
    "bollard": draw_bollard,
    "car": draw_car,
    "van": draw_car,
    "truck": draw_truck,
    "bus": draw_bus,
    "person": draw_person,
    "bicycle": draw_cycle,
    "motorcycle": draw_cycle,
    "bicycle with rider": draw_cycle,
    "motorcycle with rider": draw_cycle,
}


def render(domain: Domain, index: int) -> tuple[Pixels, Pixels]:
    """RGB picture (H, W, 3) and label ids (H, W) of one frame; depends on nothing but the arguments."""
    rng = np.random.default_rng([SEED, domain.number, index])
    scene = random_scene(rng, domain.odds)
    look = domain.look(rng)
    canvas = Canvas(scene.view, look)
    horizon = int(scene.view.horizon)
    canvas.pixels[: horizon + 3, :, :3] = domain.sky(rng, horizon + 3, canvas.pixels.shape[1], horizon)
    canvas.pixels[..., 3] = SKY
    _draw_skyline(canvas, scene)
    draw_ground(canvas, scene, rng)
    for thing in scene.things:
        DRAW[thing.kind](canvas, thing)
    # the class map keeps one of each block of pixels, so it never holds a mixture
    labels = np.ascontiguousarray(canvas.pixels[SCALE // 2 :: SCALE, SCALE // 2 :: SCALE, 3])
    rgb = cv2.resize(canvas.pixels[..., :3], (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.uint8)
    return domain.develop(rng, rgb, labels == SKY), labels


def _draw_skyline(canvas: Canvas, scene: Scene) -> None:
    """Roofs and treetops behind the end of the street."""
    x, tree, house = -260.0, (70.0, 96.0, 52.0), (150.0, 144.0, 138.0)
    for width, tall, is_trees in scene.skyline:
        rgb: RGB = tree if is_trees else house
        label = VEGETATION if is_trees else BUILDING
        z = END + 20
        if is_trees:
            top = [(0.0, 0.6), (0.2, 0.95), (0.45, 1.0), (0.7, 0.85), (0.9, 0.95), (1.0, 0.5)]
        else:
            top = [(0.0, 1.0), (1.0, 1.0)]
        shape = [(x + a * width, b * tall, z) for a, b in top]
        canvas.polygon([(x, -4.0, z), *shape, (x + width, -4.0, z)], rgb, label)
        x += width * 0.92
