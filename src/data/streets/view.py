"""The pinhole camera behind the windscreen: road coordinates in metres to picture coordinates in pixels.

Road coordinates: x to the right of the road's centre line, y up from the ground, z forward along the road.
"""

from dataclasses import dataclass

WIDTH, HEIGHT = 224, 128
SCALE = 2  # pictures are drawn this many times larger and averaged down
NEAR = 1.2  # metres; nothing closer is drawn


@dataclass(frozen=True)
class View:
    """Where the camera stands and looks; lengths in metres, the rest in pixels of the enlarged picture."""

    focal: float
    u0: float
    horizon: float
    height: float
    x: float
    heading: float  # slope of the road's axis at the car
    bend: float  # how the slope grows, per metre

    def shift(self, x: float, z: float) -> float:
        """Lateral position seen from the camera of the road point (x, z)."""
        return x - self.x + (self.heading + self.bend * z) * z

    def project(self, x: float, y: float, z: float) -> tuple[float, float]:
        """Column and row of a point; z must be positive."""
        scale = self.focal / z
        return self.u0 + self.shift(x, z) * scale, self.horizon + (self.height - y) * scale
