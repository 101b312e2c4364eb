"""Facades as flat textures: plaster or brick, windows in bays and floors, shops below and a cornice above."""

import numpy as np

from src.data.streets import noise
from src.data.streets.look import RGB, Look, Pixels

GLASS: tuple[RGB, ...] = ((58, 68, 80), (74, 88, 100), (44, 50, 58), (96, 112, 124))
AWNINGS: tuple[RGB, ...] = (
    (150, 40, 40),
    (40, 84, 60),
    (40, 60, 120),
    (190, 150, 60),
    (90, 90, 96),
    (60, 40, 36),
)


def rough(rng: np.random.Generator, look: Look, size: tuple[int, int], rgb: RGB) -> Pixels:
    """A plain surface of width x height texels with the look's grain and dirt."""
    width, height = max(2, size[0]), max(2, size[1])
    top, left = rng.integers(0, noise.SIZE, 2)
    grain = np.float32(look.grain)
    tone = 1 + grain * noise.plaster()[top : top + height, left : left + width]
    tone *= np.linspace(1.0 + 0.04 * look.grain, 1.0 - 0.12 * look.grain, height, dtype=np.float32)[:, None]
    coloured = tone[..., None] * np.array(rgb, np.float32)
    texture: Pixels = np.minimum(coloured, 255, out=coloured).astype(np.uint8)
    return texture


def facade(
    rng: np.random.Generator,
    look: Look,
    size: tuple[float, float],
    floors: int,
    rgb: RGB,
    density: float,
) -> Pixels:
    """The front of a house, size in metres as (width, height), density in texels per metre."""
    width, height = int(size[0] * density), int(size[1] * density)
    texture = rough(rng, look, (width, height), rgb)
    storey = height / (floors + 0.25)
    bays = max(2, round(size[0] / rng.uniform(2.2, 3.6)))
    wide, tall = rng.uniform(0.36, 0.6), rng.uniform(0.48, 0.62)
    office = rng.random() < 0.18
    if office:
        wide, tall = 0.9, 0.55
    trim = tuple(min(c * rng.uniform(1.08, 1.3), 240.0) for c in rgb)
    glass = GLASS[int(rng.integers(len(GLASS)))]
    if rng.random() < 0.4 and density > 9 and not office:
        texture[:: max(2, int(density * 0.16))] = (texture[:: max(2, int(density * 0.16))] * 0.86).astype(np.uint8)
    shop = rng.random() < 0.45
    for floor in range(floors):
        upper = int(height - (floor + 1) * storey)
        if floor == 0 and shop:
            _shop(rng, texture, (upper, height), bays)
            continue
        if rng.random() < 0.35:
            texture[upper : upper + max(1, int(density * 0.12))] = trim
        door = int(rng.integers(bays)) if floor == 0 else -1
        for bay in range(bays):
            left = int((bay + (1 - wide) / 2) * width / bays)
            right = int((bay + (1 + wide) / 2) * width / bays)
            top, bottom = int(upper + storey * 0.2), int(upper + storey * (0.2 + tall))
            if bay == door:
                _box(texture, (int(upper + storey * 0.25), height), (left, right), (70, 52, 42))
                continue
            _window(rng, look, texture, (top, bottom), (left, right), glass, trim, density)
    cornice = max(1, int(0.3 * density))
    texture[:cornice] = trim
    texture[cornice : cornice + max(1, cornice // 2)] = (
        texture[cornice : cornice + max(1, cornice // 2)] * 0.7
    ).astype(np.uint8)
    return texture


def _box(texture: Pixels, rows: tuple[int, int], columns: tuple[int, int], rgb: RGB) -> None:
    texture[max(0, rows[0]) : rows[1], max(0, columns[0]) : columns[1]] = [min(255, int(c)) for c in rgb]


def _window(
    rng: np.random.Generator,
    look: Look,
    texture: Pixels,
    rows: tuple[int, int],
    columns: tuple[int, int],
    glass: RGB,
    trim: tuple[float, ...],
    density: float,
) -> None:
    """Frame, pane with the sky in its upper part, sill, and in a dirtier world blinds and open panes."""
    (top, bottom), (left, right) = rows, columns
    if density < 6:
        _box(texture, rows, columns, glass)
        return
    frame = max(1, int(0.09 * density))
    edge = (trim[0], trim[1], trim[2])
    _box(texture, (top - frame, bottom + frame), (left - frame, right + frame), edge)
    tone = 1 + look.grain * rng.uniform(-0.45, 0.55)
    pane = (glass[0] * tone, glass[1] * tone, glass[2] * tone)
    _box(texture, (top, bottom), (left, right), pane)
    sheen = (pane[0] * 1.35 + 12, pane[1] * 1.35 + 14, pane[2] * 1.35 + 18)
    _box(texture, (top, top + (bottom - top) // 3), (left, right), sheen)
    if rng.random() < look.grain * 0.5:
        _box(texture, (top, int(top + (bottom - top) * rng.uniform(0.2, 0.9))), (left, right), (176, 170, 158))
    if density > 7 and right - left > 6:
        middle = (left + right) // 2
        _box(texture, (top, bottom), (middle, middle + max(1, frame // 2)), edge)
    _box(texture, (bottom + frame, bottom + 2 * frame), (left - frame, right + frame), (92, 88, 84))


def _shop(rng: np.random.Generator, texture: Pixels, rows: tuple[int, int], bays: int) -> None:
    """A ground floor of large panes under a signboard."""
    top, bottom = rows
    tall, width = bottom - top, texture.shape[1]
    board = AWNINGS[int(rng.integers(len(AWNINGS)))]
    _box(texture, (top, top + tall // 4), (0, width), board)
    count = max(2, bays // 2 + 1)
    for k in range(count):
        left, right = int((k + 0.08) * width / count), int((k + 0.92) * width / count)
        glow = rng.uniform(0.7, 1.5)
        _box(texture, (top + tall // 3, bottom - tall // 8), (left, right), (62 * glow, 60 * glow, 56 * glow))
        letters = rng.integers(left, right, 5)
        for at in letters:
            mark = (top + tall // 12, top + tall // 6)
            _box(texture, mark, (int(at), int(at) + max(1, width // (count * 16))), (226, 220, 206))
