"""A solid on wheels in its own coordinates, turned by quarters and placed on the road."""

from collections.abc import Sequence

from src.data.streets.canvas import Canvas
from src.data.streets.look import RGB
from src.data.streets.things import Thing

Local = tuple[float, float, float]  # s forwards from the rear, w to its right, h up, in metres
TURNS = ((0, 1), (-1, 0), (0, -1), (1, 0))  # forward direction (x, z) per quarter turn to the left


class Body:
    """Draws local shapes of a thing; knows which of its faces the camera can see."""

    def __init__(self, canvas: Canvas, thing: Thing, label: int) -> None:
        """Place the middle of the thing's length on its road position."""
        self.canvas, self.thing, self.label = canvas, thing, label
        self.fx, self.fz = TURNS[thing.quarters]
        view = canvas.view
        dx, dz = -view.shift(thing.x, thing.z), -thing.z
        self.eye_s = dx * self.fx + dz * self.fz + thing.length / 2
        self.eye_w = dx * self.fz - dz * self.fx

    def world(self, point: Local) -> Local:
        """Road coordinates of a local point."""
        s, w, h = point[0] - self.thing.length / 2, point[1], point[2]
        return self.thing.x + s * self.fx + w * self.fz, h, self.thing.z + s * self.fz - w * self.fx

    def shape(self, points: Sequence[Local], rgb: RGB, normal: Local, label: int | None = None) -> None:
        """Fill a flat shape; the normal is local too, as (s, w, h)."""
        s, w, h = normal
        turned = (s * self.fx + w * self.fz, h, s * self.fz - w * self.fx)
        self.canvas.polygon([self.world(p) for p in points], rgb, label or self.label, turned)

    def across(self, s: float, w: tuple[float, float], h: tuple[float, float], rgb: RGB, facing: int) -> None:
        """An upright rectangle across the body, facing 1 forwards or -1 backwards."""
        self.shape([(s, w[0], h[0]), (s, w[1], h[0]), (s, w[1], h[1]), (s, w[0], h[1])], rgb, (facing, 0, 0))

    def along(self, w: float, s: tuple[float, float], h: tuple[float, float], rgb: RGB) -> None:
        """An upright rectangle along the body, facing the side it is on."""
        facing = 1.0 if w > 0 else -1.0
        self.shape([(s[0], w, h[0]), (s[1], w, h[0]), (s[1], w, h[1]), (s[0], w, h[1])], rgb, (0, facing, 0))

    def box(self, s: tuple[float, float], half: float, h: tuple[float, float], rgb: RGB) -> None:
        """The visible faces of a box: top, one side, and the rear or the front."""
        top = [(s[0], -half, h[1]), (s[1], -half, h[1]), (s[1], half, h[1]), (s[0], half, h[1])]
        self.shape(top, rgb, (0, 0, 1))
        if abs(self.eye_w) > half:
            self.along(half if self.eye_w > 0 else -half, s, h, rgb)
        if self.eye_s < s[0]:
            self.across(s[0], (-half, half), h, rgb, -1)
        elif self.eye_s > s[1]:
            self.across(s[1], (-half, half), h, rgb, 1)

    def wheel(self, s: float, w: float, radius: float) -> None:
        """A tyre with its hub, seen from the side."""
        facing = 1.0 if w > 0 else -1.0
        for r, rgb in ((radius, (22.0, 22.0, 24.0)), (radius * 0.55, (132.0, 134.0, 138.0))):
            rim = [(s + r * a, w, radius + r * b) for a, b in RIM]
            self.shape(rim, rgb, (0, facing, 0))


RIM = (
    (1.0, 0.0),
    (0.87, 0.5),
    (0.5, 0.87),
    (0.0, 1.0),
    (-0.5, 0.87),
    (-0.87, 0.5),
    (-1.0, 0.0),
    (-0.87, -0.5),
    (-0.5, -0.87),
    (0.0, -1.0),
    (0.5, -0.87),
    (0.87, -0.5),
)
