"""The canvas: colour and class are painted in one stroke, so picture and class map cannot disagree."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from src.data.streets.look import RGB, Look, Pixels
from src.data.streets.view import HEIGHT, NEAR, SCALE, WIDTH, View

Point = tuple[float, float, float]
Normal = tuple[float, float, float]
SUBPIXEL = 4  # binary digits after the point in OpenCV's integer coordinates, so 16 to a pixel
LIMIT = 1 << 14  # pixels; keeps those integers far from overflow


class Canvas:
    """An enlarged picture with four channels, R, G, B and label id; paint from far to near."""

    def __init__(self, view: View, look: Look) -> None:
        """Start from black pixels without a class."""
        self.view, self.look = view, look
        self.pixels: Pixels = np.zeros((HEIGHT * SCALE, WIDTH * SCALE, 4), np.uint8)

    def tint(self, rgb: RGB, normal: Normal, z: float) -> tuple[int, int, int]:
        """The colour a lit surface shows at a distance."""
        clear, (fr, fg, fb), (hr, hg, hb) = self.look.clear(z), self.look.light(normal), self.look.haze_rgb
        r = rgb[0] * fr * clear + hr * (1 - clear)
        g = rgb[1] * fg * clear + hg * (1 - clear)
        b = rgb[2] * fb * clear + hb * (1 - clear)
        return min(255, int(r)), min(255, int(g)), min(255, int(b))

    def polygon(self, points: Sequence[Point], rgb: RGB, label: int, normal: Normal = (0, 0, -1)) -> None:
        """Fill a flat shape of road points; what lies nearer than NEAR is cut off."""
        shape = outline(self.view, points)
        if shape is not None:
            z = sum(p[2] for p in points) / len(points)
            cv2.fillPoly(self.pixels, [shape], (*self.tint(rgb, normal, z), label), cv2.LINE_8, SUBPIXEL)

    def disc(self, x: float, y: float, z: float, radius: float, rgb: RGB, label: int) -> None:
        """Fill a circle that faces the camera."""
        if z < NEAR:
            return
        u, v = self.view.project(x, y, z)
        r = self.view.focal * radius / z
        if abs(u) < LIMIT and abs(v) < LIMIT:
            centre = (int(u * 16), int(v * 16))
            colour = (*self.tint(rgb, (0, 0.3, -0.95), z), label)
            cv2.circle(self.pixels, centre, int(r * 16), colour, -1, cv2.LINE_8, SUBPIXEL)

    def sees(self, a: tuple[float, float], b: tuple[float, float]) -> bool:
        """Whether any of the ground line from a to b may be in the picture; it may err on the side of yes."""
        edge = max(self.view.u0, self.pixels.shape[1] - self.view.u0) / self.view.focal
        ends = [(self.view.shift(x, z), z) for x, z in (a, b)]
        far = max(z for _, z in ends)
        beside = all(x > edge * far for x, _ in ends) or all(x < -edge * far for x, _ in ends)
        return far > NEAR and not beside

    def wall(
        self,
        a: tuple[float, float],
        b: tuple[float, float],
        bottom: float,
        top: float,
        texture: Pixels,
        label: int,
        normal: Normal = (0, 0, -1),
    ) -> None:
        """Hang a texture on the upright plane over the ground line from a to b, both (x, z).

        The texture is RGB or RGB with opacity; the label also covers what shows through.
        """
        view = self.view
        xa, za, xb, zb = view.shift(*a), a[1], view.shift(*b), b[1]
        k = (np.arange(self.pixels.shape[1]) + (0.5 - view.u0)) / view.focal
        across = (xb - xa) - k * (zb - za)
        t = (k * za - xa) / np.where(np.abs(across) < 1e-9, 1e-9, across)
        z = za + t * (zb - za)
        columns = np.flatnonzero((t >= 0) & (t < 1) & (z > NEAR))
        if columns.size == 0:
            return
        first, last = int(columns[0]), int(columns[-1]) + 1
        t, z = t[first:last].clip(0, 1 - 1e-9), z[first:last].clip(NEAR)
        upper = view.horizon + (view.height - top) * view.focal / z
        lower = view.horizon + (view.height - bottom) * view.focal / z
        r0, r1 = max(0, int(upper.min())), min(self.pixels.shape[0], int(lower.max()) + 1)
        if r0 >= r1:
            return
        s = (np.arange(r0, r1)[:, None] + 0.5 - upper) / (lower - upper)
        inside = (s >= 0) & (s < 1)
        i = (s * texture.shape[0]).astype(np.int32).clip(0, texture.shape[0] - 1)
        j = (t * texture.shape[1]).astype(np.int32)
        patch = texture[i, j]
        clear = (self.look.haze / (self.look.haze + z)).astype(np.float32)[:, None]
        colour = patch[..., :3] * (clear * np.array(self.look.light(normal), np.float32))
        colour += (1 - clear) * np.array(self.look.haze_rgb, np.float32)
        region = self.pixels[r0:r1, first:last]
        region[..., 3][inside] = label
        shown = inside & (patch[..., 3] > 127) if texture.shape[2] == 4 else inside
        region[..., :3][shown] = colour.clip(0, 255).astype(np.uint8)[shown]


def outline(view: View, points: Sequence[Point]) -> npt.NDArray[np.int32] | None:
    """Picture coordinates of a shape as OpenCV wants them, or None where nothing of it is in front."""
    nearest = min(p[2] for p in points)
    kept = points if nearest >= NEAR else _clipped(points)
    if len(kept) < 3:
        return None
    flat = [view.project(*p) for p in kept]
    columns = [u for u, _ in flat]
    if max(columns) < 0 or min(columns) > WIDTH * SCALE or max(columns) - min(columns) > LIMIT:
        return None
    return np.array([(int(u * 16), int(v * 16)) for u, v in flat], np.int32)


def _clipped(points: Sequence[Point]) -> list[Point]:
    """The part of a shape at least NEAR away."""
    kept: list[Point] = []
    for p, q in zip(points, [*points[1:], points[0]], strict=True):
        if p[2] >= NEAR:
            kept.append(p)
        if (p[2] >= NEAR) != (q[2] >= NEAR):
            t = (NEAR - p[2]) / (q[2] - p[2])
            kept.append((p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1]), NEAR))
    return kept
