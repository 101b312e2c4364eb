"""Pictures in a page: readable again, and within the budget."""

import io
from base64 import b64decode

import numpy as np
import pytest
from PIL import Image

from src.tables.page import pictures


def decoded(picture: pictures.EmbeddedPicture) -> np.ndarray:
    head, _, content = picture.uri.partition(",")
    assert head == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(b64decode(content))).convert("RGB"))


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_small_frame_is_kept_to_the_bit():
    image = noise(64, 84)
    (picture,), taken = pictures.encoded([image])
    assert picture is not None
    assert (decoded(picture) == image).all()
    assert (picture.width, picture.height) == (84, 64)
    assert 0 < taken < len(picture.uri)


def test_large_pictures_shrink_until_they_fit_together(monkeypatch: pytest.MonkeyPatch):
    images = [noise(600, 800), noise(500, 700)]
    _, whole = pictures.encoded(images)
    monkeypatch.setattr(pictures, "BUDGET", whole // 3)
    smaller, taken = pictures.encoded(images)
    assert taken <= whole // 3
    assert all(one is not None and decoded(one).shape[0] < one.height for one in smaller)
    assert [one and (one.width, one.height) for one in smaller] == [(800, 600), (700, 500)]  # as they are shown


def test_what_does_not_fit_at_all_is_left_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pictures, "BUDGET", 9000)
    found, taken = pictures.encoded([noise(50, 50), noise(600, 800)])
    assert [one is None for one in found] == [False, True]
    assert 0 < taken <= 9000


def test_no_pictures_take_nothing():
    assert pictures.encoded([]) == ([], 0)


def test_a_picture_that_webp_cannot_hold_is_made_smaller():
    """As that of a hundred worst frames, one below the other."""
    (picture,), _ = pictures.encoded([np.zeros((16_400, 80, 3), np.uint8)])
    assert picture is not None
    assert decoded(picture).shape == (16_383, 80, 3)
    assert (picture.width, picture.height) == (80, 16_400)
