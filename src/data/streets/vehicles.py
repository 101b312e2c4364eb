"""Cars and vans from a side profile, lorries and buses from boxes."""

from itertools import pairwise

import numpy as np

from src.data.streets.body import Body
from src.data.streets.canvas import Canvas
from src.data.streets.classes import BUS, CAR, TRUCK
from src.data.streets.look import RGB
from src.data.streets.things import Thing

DETAIL = 45.0  # metres; beyond, what is smaller than a pixel is left out
PANE: RGB = (40, 48, 56)
DARK: RGB = (20, 20, 22)
RED: RGB = (172, 22, 24)
LAMP: RGB = (238, 236, 220)
PLATE: RGB = (226, 224, 210)

# Profiles from the rear bumper over the roof to the front bumper: share of length, share of height, half
# width in metres. Points 2 and 3 hold the rear window, points 6 and 7 the windscreen.
Profile = tuple[tuple[float, float, float], ...]
REAR, SCREEN = 2, 6
SALOON: Profile = (
    *((0.0, 0.22, 0.8), (0.0, 0.58, 0.88), (0.11, 0.66, 0.84), (0.25, 0.95, 0.68), (0.31, 1.0, 0.62)),
    *(
        (0.48, 1.0, 0.62),
        (0.53, 0.97, 0.66),
        (0.7, 0.66, 0.84),
        (0.94, 0.55, 0.84),
        (0.99, 0.42, 0.82),
        (1.0, 0.22, 0.8),
    ),
)
HATCHBACK: Profile = (
    *((0.0, 0.22, 0.8), (0.0, 0.5, 0.88), (0.02, 0.64, 0.86), (0.12, 0.95, 0.68), (0.18, 1.0, 0.62)),
    *(
        (0.48, 1.0, 0.62),
        (0.53, 0.97, 0.66),
        (0.7, 0.66, 0.84),
        (0.95, 0.55, 0.84),
        (0.99, 0.42, 0.82),
        (1.0, 0.22, 0.8),
    ),
)
ESTATE: Profile = (
    *((0.0, 0.24, 0.84), (0.0, 0.5, 0.92), (0.01, 0.64, 0.9), (0.05, 1.02, 0.74), (0.09, 1.08, 0.68)),
    *(
        (0.52, 1.08, 0.68),
        (0.56, 1.04, 0.72),
        (0.7, 0.7, 0.88),
        (0.95, 0.62, 0.88),
        (0.99, 0.46, 0.86),
        (1.0, 0.24, 0.84),
    ),
)
VAN: Profile = (
    *((0.0, 0.16, 0.92), (0.0, 0.4, 0.96), (0.0, 0.56, 0.96), (0.015, 0.95, 0.9), (0.03, 1.0, 0.84)),
    *(
        (0.66, 1.0, 0.84),
        (0.71, 0.96, 0.88),
        (0.86, 0.56, 0.94),
        (0.97, 0.45, 0.94),
        (0.99, 0.36, 0.93),
        (1.0, 0.16, 0.92),
    ),
)
PROFILES: dict[str, tuple[Profile, ...]] = {"car": (SALOON, HATCHBACK, ESTATE), "van": (VAN,)}


def draw_car(canvas: Canvas, thing: Thing) -> None:
    """A car or van: the profile extruded, then its side with windows, wheels and lamps."""
    rng = np.random.default_rng(thing.seed)
    body = Body(canvas, thing, CAR)
    shapes = PROFILES[thing.kind]
    profile = [(s * thing.length, half, h * thing.height) for s, h, half in shapes[int(rng.integers(len(shapes)))]]
    half, sill = profile[1][1], profile[0][2]
    belt = profile[REAR][2]
    body.box((0.15, thing.length - 0.15), half * 0.9, (0.12, sill + 0.05), DARK)
    for w in (-half + 0.12, half - 0.12):
        for s in (0.0, thing.length):
            body.across(s, (w - 0.11, w + 0.11), (0.0, sill + 0.05), (16, 16, 16), -1)
    segments = list(pairwise(profile))
    order = range(len(segments)) if body.eye_s > thing.length / 2 else reversed(range(len(segments)))
    for k in order:
        (s0, w0, h0), (s1, w1, h1) = segments[k]
        run = float(np.hypot(s1 - s0, h1 - h0))
        normal = ((h0 - h1) / run, 0.0, (s1 - s0) / run)
        if (body.eye_s - s0) * normal[0] + (canvas.view.height - h0) * normal[2] <= 0:
            continue
        body.shape([(s0, -w0, h0), (s0, w0, h0), (s1, w1, h1), (s1, -w1, h1)], thing.rgb, normal)
        if k in (REAR, SCREEN):
            inset = [_mix(p, q, t) for p, q, t in ((*segments[k], 0.08), (*segments[k], 0.88))]
            (sa, wa, ha), (sb, wb, hb) = inset
            body.shape(
                [(sa, 0.1 - wa, ha), (sa, wa - 0.1, ha), (sb, wb - 0.08, hb), (sb, 0.08 - wb, hb)],
                PANE,
                normal,
            )
            if thing.z > DETAIL:
                continue
            sheen = _mix(*segments[k], 0.62)
            body.shape(
                [
                    (sheen[0], 0.1 - wb, sheen[2]),
                    (sheen[0], wb - 0.1, sheen[2]),
                    (sb, wb - 0.1, hb),
                    (sb, 0.1 - wb, hb),
                ],
                (84, 98, 110),
                normal,
            )
    if abs(body.eye_w) > half:
        _side(body, profile, 1.0 if body.eye_w > 0 else -1.0)
    _ends(body, half, sill, belt)


def _mix(p: tuple[float, float, float], q: tuple[float, float, float], t: float) -> tuple[float, float, float]:
    return p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1]), p[2] + t * (q[2] - p[2])


def _side(body: Body, profile: list[tuple[float, float, float]], sign: float) -> None:
    """The flank towards us."""
    thing = body.thing
    normal = (0.0, sign, 0.0)
    body.shape([(s, sign * w, h) for s, w, h in profile], thing.rgb, normal)
    lower, upper, front, base = profile[REAR], profile[REAR + 1], profile[SCREEN], profile[SCREEN + 1]
    belt = max(lower[2], base[2]) + 0.02
    glass = [
        (_mix(lower, upper, 0.15)[0] + 0.15, belt),
        (upper[0] + 0.12, upper[2] - 0.04),
        (front[0] - 0.03, front[2] - 0.05),
        (_mix(front, base, 0.9)[0] - 0.08, belt),
    ]
    body.shape([(s, sign * (profile[1][1] - 0.05), h) for s, h in glass], PANE, normal)
    pillar = (upper[0] + front[0]) / 2 + 0.15
    body.along(sign * (profile[1][1] - 0.04), (pillar, pillar + 0.08), (belt, upper[2] - 0.08), thing.rgb)
    if thing.z > DETAIL:
        return
    shade = (thing.rgb[0] * 0.72, thing.rgb[1] * 0.72, thing.rgb[2] * 0.72)
    body.along(sign * profile[1][1], (0.1, thing.length - 0.1), (profile[0][2], profile[0][2] + 0.16), shade)
    for share in (0.19, 0.81):
        body.wheel(share * thing.length, sign * (profile[1][1] + 0.01), 0.33 if thing.kind == "car" else 0.37)


def _ends(body: Body, half: float, sill: float, belt: float) -> None:
    """Lamps, plate and bumper of the end towards us."""
    length = body.thing.length
    lamp = (belt - 0.26, belt - 0.06)
    if body.eye_s < 0:
        for w in (-half + 0.03, half - 0.25):
            body.across(-0.01, (w, w + 0.22), lamp, RED, -1)
        body.across(-0.01, (-0.26, 0.26), (sill + 0.22, sill + 0.34), PLATE, -1)
        body.across(-0.01, (-half, half), (sill - 0.1, sill + 0.12), DARK, -1)
    elif body.eye_s > length:
        front = (lamp[0] - 0.1, lamp[1] - 0.12)
        for w in (-half + 0.03, half - 0.36):
            body.across(length + 0.01, (w, w + 0.33), front, LAMP, 1)
        body.across(length + 0.01, (-0.42, 0.42), front, DARK, 1)
        body.across(length + 0.01, (-0.26, 0.26), (sill + 0.06, sill + 0.17), PLATE, 1)
        body.across(length + 0.01, (-half, half), (sill - 0.1, sill + 0.02), DARK, 1)


def draw_truck(canvas: Canvas, thing: Thing) -> None:
    """A lorry: a cab in front of a box, on a dark chassis."""
    rng = np.random.default_rng(thing.seed)
    body = Body(canvas, thing, TRUCK)
    length, tall = thing.length, thing.height
    cargo: RGB = (214, 212, 206) if rng.random() < 0.6 else thing.rgb
    body.box((0.1, length - 0.1), 1.0, (0.35, 0.9), DARK)
    parts = [
        ((length - 1.9, length), (0.5, tall * 0.82), thing.rgb),
        ((0.0, length - 2.1), (0.85, tall), cargo),
    ]
    for s, h, rgb in parts if body.eye_s < length / 2 else reversed(parts):
        body.box(s, 1.2, h, rgb)
    if body.eye_s > length:
        body.across(length + 0.01, (-1.1, 1.1), (tall * 0.48, tall * 0.76), PANE, 1)
        body.across(length + 0.01, (-0.7, 0.7), (0.7, 1.2), DARK, 1)
        for w in (-1.1, 0.75):
            body.across(length + 0.02, (w, w + 0.35), (0.7, 0.92), LAMP, 1)
    elif body.eye_s < 0:
        body.across(-0.01, (-0.02, 0.02), (0.9, tall - 0.1), (110, 110, 108), -1)
        for w in (-1.15, 0.85):
            body.across(-0.01, (w, w + 0.3), (0.6, 0.8), RED, -1)
    _long_side(body, 1.2, (0.12, 0.3, 0.85), (length - 1.6, length - 0.5), (tall * 0.5, tall * 0.74))


def draw_bus(canvas: Canvas, thing: Thing) -> None:
    """A bus: one box with bands of windows."""
    body = Body(canvas, thing, BUS)
    length, tall = thing.length, thing.height
    body.box((0.2, length - 0.2), 1.1, (0.1, 0.4), DARK)
    body.box((0.0, length), 1.25, (0.32, tall), thing.rgb)
    glass = (tall * 0.42, tall * 0.86)
    if body.eye_s > length:
        body.across(length + 0.01, (-1.12, 1.12), (tall * 0.34, tall * 0.8), PANE, 1)
        body.across(length + 0.01, (-0.9, 0.9), (tall * 0.86, tall * 0.95), (236, 170, 40), 1)
        for w in (-1.15, 0.8):
            body.across(length + 0.01, (w, w + 0.35), (0.6, 0.82), LAMP, 1)
    elif body.eye_s < 0:
        body.across(-0.01, (-1.0, 1.0), (tall * 0.55, tall * 0.86), PANE, -1)
        for w in (-1.2, 0.95):
            body.across(-0.01, (w, w + 0.25), (0.7, 1.05), RED, -1)
        body.across(-0.01, (-0.9, 0.9), (0.45, 0.75), DARK, -1)
    _long_side(body, 1.25, (0.16, 0.8), (0.4, length - 0.3), glass)
    if abs(body.eye_w) > 1.25:
        w = 1.27 if body.eye_w > 0 else -1.27
        for k in range(1, 6):
            s = 0.4 + k * (length - 0.7) / 6
            body.along(w, (s - 0.06, s + 0.06), glass, thing.rgb)


def _long_side(
    body: Body, half: float, wheels: tuple[float, ...], glass: tuple[float, float], rows: tuple[float, float]
) -> None:
    """Windows and wheels of a flank, if it can be seen."""
    if abs(body.eye_w) <= half:
        return
    w = half + 0.01 if body.eye_w > 0 else -half - 0.01
    body.along(w, glass, rows, PANE)
    for share in wheels:
        body.wheel(share * body.thing.length, w, 0.48)
