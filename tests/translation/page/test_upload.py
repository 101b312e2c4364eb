"""What may be uploaded: a file beyond a limit is refused in one line, before it is decoded."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.system.errors import UserError
from src.translation.page.upload import Limits
from tests.translation.video import films

LIMITS = Limits(megapixels=0.01, megabytes=0.1, seconds=1.0)


def image(path: Path, width: int, height: int) -> Path:
    Image.new("RGB", (width, height), "teal").save(path)
    return path


def test_what_is_within_the_limits_passes(tmp_path: Path):
    LIMITS.demand(image(tmp_path / "a.png", 100, 100))
    LIMITS.demand(films.write(tmp_path / "a.mp4", films.moving(25)))


def test_an_image_of_too_many_pixels(tmp_path: Path):
    path = image(tmp_path / "a.png", 100, 101)
    with pytest.raises(UserError, match=r"a\.png: has 100x101 pixels, more than 0\.01 megapixels; shrink it$"):
        LIMITS.demand(path)


def test_a_file_of_too_many_bytes(tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 256, (190, 190, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"a\.png: has more than 0\.1 MB; shrink or shorten it$"):
        LIMITS.demand(tmp_path / "a.png")


def test_a_video_of_too_many_pixels(tmp_path: Path):
    path = films.write(tmp_path / "a.mp4", films.moving(3, 96, 128))
    with pytest.raises(UserError, match=r"a\.mp4: has 128x96 pixels, more than 0\.01 megapixels"):
        LIMITS.demand(path)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_video_that_is_too_long(tmp_path: Path, name: str):
    path = films.write(tmp_path / name, films.moving(30))
    with pytest.raises(UserError, match=rf"{name}: lasts 1\.2 s, more than 1; cut it shorter$"):
        LIMITS.demand(path)


def test_a_video_whose_frames_are_too_many_for_its_length(tmp_path: Path):
    path = films.write(tmp_path / "a.mp4", films.moving(61), times=range(0, 610, 10), sound=None)
    with pytest.raises(UserError, match=r"a\.mp4: holds 61 frames, more than 60 a second; cut it shorter$"):
        LIMITS.demand(path)


def test_the_length_is_that_of_the_packets_when_the_header_tells_none(tmp_path: Path):
    path = films.write(tmp_path / "a.ts", films.moving(30), container="mpegts")
    with pytest.raises(UserError, match=r"lasts 1\.2 s"):
        LIMITS.demand(path)


@pytest.mark.parametrize("name", ["a.png", "a.mp4", "a.txt", "a"])
def test_what_is_neither_image_nor_video(tmp_path: Path, name: str):
    (tmp_path / name).write_text("no picture")
    with pytest.raises(UserError, match=rf"{name}: cannot be read as an? (image|video) \(") as refused:
        LIMITS.demand(tmp_path / name)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("key", ["megapixels", "megabytes", "seconds"])
def test_a_limit_that_lets_nothing_through_is_refused(key: str):
    with pytest.raises(UserError, match=f"^{key} must be > 0, got 0$"):
        Limits(**{"megapixels": 1, "megabytes": 1, "seconds": 1, key: 0})
