"""Colours by their ICC profile, against profiles written byte by byte and the formulas they stand for."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from src.data import colour_profiles
from src.data.images import read_image

P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
"""X, Y, Z of Display P3's red, green and blue under D50, as Apple's profile has them."""
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
"""Likewise of sRGB, IEC 61966-2-1."""
RGB = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)


def fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def profile(space: bytes, *tags: tuple[bytes, bytes]) -> bytes:
    """An ICC profile by its specification (ICC.1:2010): header, table of tags, tags."""
    place, table, body = 132 + 12 * len(tags), b"", b""
    for name, content in tags:
        table += struct.pack(">4sII", name, place + len(body), len(content))
        body += content + b"\0" * (-len(content) % 4)
    header = struct.pack(">I4sI4s4s4s", place + len(body), b"\0" * 4, 0x04300000, b"mntr", space, b"XYZ ")
    header += struct.pack(">6H4s", 2020, 1, 1, 0, 0, 0, b"acsp") + b"\0" * 28
    header += fixed(0.9642) + fixed(1.0) + fixed(0.8249)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))


CURVE = b"para\0\0\0\0\0\3\0\0" + b"".join(map(fixed, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)))
GAMMA = b"para\0\0\0\0\0\0\0\0" + fixed(2.2)
WHITE = (b"wtpt", xyz((0.9642, 1.0, 0.8249)))


def of_primaries(primaries: tuple[tuple[float, ...], ...], curve: bytes = CURVE) -> bytes:
    columns = [(name, xyz(value)) for name, value in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)]
    return profile(b"RGB ", WHITE, *columns, *((name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")))


def by_formula(pixels: np.ndarray) -> np.ndarray:
    """Display P3 to sRGB: linear light, through XYZ, and back, with what lies outside cut off."""
    share = pixels / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    other = (linear @ np.array(P3) @ np.linalg.inv(np.array(SRGB))).clip(0, 1)
    return 255 * np.where(other <= 0.0031308, other * 12.92, 1.055 * other ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize(("curve", "seen"), [(CURVE, (227, 160, 124)), (GAMMA, (228, 162, 125))])
@pytest.mark.parametrize(("suffix", "options"), [("png", {}), ("webp", {"lossless": True}), ("jpg", {"quality": 100})])
def test_wide_colours_are_read_as_a_person_sees_them(
    tmp_path: Path, suffix: str, options: dict[str, object], curve: bytes, seen: tuple[int, ...]
):
    path = tmp_path / f"a.{suffix}"
    pixels = np.full((8, 8, 3), (217, 163, 130), np.uint8)
    Image.fromarray(pixels).save(path, icc_profile=of_primaries(P3, curve), **options)
    # a JPEG keeps a flat colour within a level
    tolerance = 1 if suffix == "jpg" else 0
    np.testing.assert_allclose(read_image(path).astype(int), np.broadcast_to(seen, (8, 8, 3)), atol=tolerance)


def test_every_colour_follows_the_formula(tmp_path: Path):
    Image.fromarray(RGB).convert("RGBA").save(tmp_path / "a.png", icc_profile=of_primaries(P3))
    # lcms computes matrices of 8 bits with 15 or 16, so a dark level may be one or two off
    np.testing.assert_allclose(read_image(tmp_path / "a.png"), by_formula(RGB), atol=2)


@pytest.mark.parametrize("kind", ["by hand", "Pillow's"])
def test_a_file_tagged_as_srgb_keeps_its_pixels(tmp_path: Path, kind: str):
    tag = (
        of_primaries(SRGB) if kind == "by hand" else ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    )
    Image.fromarray(RGB).save(tmp_path / "a.png", icc_profile=tag)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), RGB)


def test_grey_follows_its_profile_too(tmp_path: Path):
    linear = profile(b"GRAY", WHITE, (b"kTRC", b"curv\0\0\0\0\0\0\0\0"))  # no curve: light itself
    Image.fromarray(np.full((4, 4), 128, np.uint8)).save(tmp_path / "a.png", icc_profile=linear)
    # 128 of 255 of the light is 188 in sRGB
    np.testing.assert_allclose(read_image(tmp_path / "a.png").astype(int), np.full((4, 4, 3), 188), atol=1)
    Image.fromarray(np.full((4, 4), 128, np.uint8)).save(tmp_path / "b.png", icc_profile=of_primaries(P3))
    # neutral in every space of this curve
    np.testing.assert_allclose(read_image(tmp_path / "b.png").astype(int), np.full((4, 4, 3), 128), atol=1)


def test_a_palette_is_converted_by_its_colours(tmp_path: Path):
    image = Image.fromarray(np.zeros((4, 4), np.uint8))
    image.putpalette([217, 163, 130])
    image.save(tmp_path / "a.png", icc_profile=of_primaries(P3))
    np.testing.assert_allclose(read_image(tmp_path / "a.png").astype(int), np.full((4, 4, 3), (227, 160, 124)), atol=0)


@pytest.mark.parametrize(
    ("tag", "reason"),
    [(b"garbage", "cannot open profile"), (profile(b"CMYK", WHITE), "a profile of CMYK in a picture of RGB")],
)
def test_a_profile_that_cannot_be_used_is_said_once_and_read_as_srgb(
    tmp_path: Path, tag: bytes, reason: str, capsys: pytest.CaptureFixture[str]
):
    colour_profiles._say.cache_clear()
    for name in ("a", "b"):
        Image.fromarray(RGB).save(tmp_path / f"{name}.png", icc_profile=tag)
        np.testing.assert_array_equal(read_image(tmp_path / f"{name}.png"), RGB)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("colour profiles that cannot be used (")
    assert reason in line
    assert line.endswith("): read as sRGB; src.data.check names them")
