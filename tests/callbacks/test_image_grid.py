"""The panel shows what it says it shows."""

import numpy as np
import torch

from src.callbacks.image_grid import draw
from src.methods.base import ScoreMap


def panel(taps: int, places: list[int]) -> np.ndarray:
    image = torch.zeros(3, 32, 48)
    maps = {
        f"tap{number}": ScoreMap(torch.linspace(0, 1, 96)[None], torch.tensor([places]), (8, 12))
        for number in range(taps)
    }
    return draw(["frame"], [(image, image, maps)])


def red(picture: np.ndarray) -> int:
    return int(((picture[:, :, 0] > 230) & (picture[:, :, 1] < 40) & (picture[:, :, 2] < 40)).sum())


def test_each_tap_adds_a_column():
    widths = [panel(taps, [0]).shape[1] for taps in (0, 1, 5)]
    assert widths[1] - widths[0] == (widths[2] - widths[0]) / 5 > 100


def test_each_chosen_place_is_marked():
    one, four = red(panel(1, [50])), red(panel(1, [13, 20, 50, 70]))
    assert one > 0
    assert 3.5 < four / one < 4.5


def test_a_method_without_patches_shows_source_and_output_only():
    image = torch.zeros(3, 32, 48)
    assert draw(["a", "b"], [(image, image, {}), (image, image, {})]).shape[2] == 3
