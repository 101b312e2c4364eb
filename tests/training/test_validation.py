"""What the protocol says of the frames that are scored."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from src.config.build import build
from src.training.validation import Validation
from tests.test_train import tiny

STRETCHED = "whole, resized to training size by data.fit=stretch, antialiased"


def protocol(root: Path, *settings: str) -> dict[str, Any]:
    cfg = tiny(root, "metrics.scores.side=32", *settings)
    return Validation(build(cfg.data, "data"), build(cfg.metrics.scores, "metrics.scores"), 1.0).protocol()


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        # by hand: frames of 40 x 56, 44 x 60 and 48 x 56, which keep their aspect to a multiple of 4
        ("data.load=64", {"frame_size": "64 x 76 to 64 x 88"}),
        ("data.aspect=2.0", {"frame_size": "44 x 64 to 56 x 64"}),
        ("data.fit=stretch", {"frame_size": "32 x 32", "frames": STRETCHED}),
        ("data.white=4095", {"white": 4095}),
        ("data.flip=false", {}),  # the crops of training are not scored
    ],
)
def test_what_the_squares_are_made_of_is_told_whatever_their_side(
    setting: str, told: dict[str, Any], frames: Callable[..., Path]
):
    root = frames()
    before, after = protocol(root), protocol(root, setting)
    assert (before["frame_size"], before["white"]) == ("32 x 36 to 32 x 44", 65535)
    assert {key: value for key, value in after.items() if before[key] != value} == told
