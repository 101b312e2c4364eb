"""The pictures show what they say they show."""

import os

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from src.data.labels import LabelTable
from src.downstream import outlines
from src.methods.base import ScoreMap
from src.tables.pictures.canvas import plain
from src.tables.pictures.score_maps import COLOURS, Explained, _curves, explanation, on_source, panel

IMAGE = torch.zeros(3, 32, 48)
PAIR = {"source": IMAGE, "output": IMAGE}


def drawn(taps: int, places: list[int]) -> np.ndarray:
    maps = {
        f"tap{number}": ScoreMap(torch.linspace(0, 1, 96)[None], torch.tensor([places]), (8, 12))
        for number in range(taps)
    }
    return panel(["frame"], [(PAIR, maps)])


def differing(some: list[int], others: list[int]) -> int:
    """Pixels by which the marks of two choices differ, on a map of one colour."""
    one, other = (
        panel(["frame"], [(PAIR, {"tap": ScoreMap(torch.zeros(1, 96), torch.tensor([places]), (8, 12))})])
        for places in (some, others)
    )
    return int((one != other).any(-1).sum())


def test_a_name_that_is_no_utf8_is_drawn():
    odd = os.fsdecode(b"a\xffb $x$ $")
    assert plain(odd) == r"a\xffb \$x\$ \$"
    assert panel([odd], [(PAIR, {})]).shape[2] == 3
    pixels, ids = np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), np.int64)
    table = LabelTable(
        classes=[{"id": number, "name": str(number), "colour": [0, 0, 0]} for number in (0, 1)], void=[], watched="1"
    )
    case = outlines.Case(odd, pixels, pixels, ids.astype(np.uint8), ids, ids.astype(bool))
    assert outlines.draw([case], table).shape[2] == 3


def test_each_tap_adds_a_column():
    widths = [drawn(taps, [0]).shape[1] for taps in (0, 1, 5)]
    assert widths[1] - widths[0] == (widths[2] - widths[0]) / 5 > 100


def test_each_chosen_place_is_marked():
    one, three = differing([13] * 4, [13, 13, 13, 20]), differing([13] * 4, [13, 20, 50, 70])
    assert one > 10
    assert 2.7 < three / one < 3.3


def test_a_method_without_patches_shows_source_and_output_only():
    assert panel(["a", "b"], [(PAIR, {}), (PAIR, {})]).shape[2] == 3
    assert explanation("a", IMAGE, [Explained("cyclegan", IMAGE, {}, {})]).shape[2] == 3


def test_the_colours_rise_in_lightness_for_those_who_see_no_red_or_green():
    """Machado et al. 2009, matrices of full protanopia and deuteranopia in linear RGB; Rec. 709 luminance."""
    from matplotlib import colormaps

    steps = colormaps[COLOURS](np.linspace(0, 1, 64))[:, :3]
    linear = np.where(steps <= 0.04045, steps / 12.92, ((steps + 0.055) / 1.055) ** 2.4)
    protan = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    deutan = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    for seen in (np.eye(3), np.array(protan), np.array(deutan)):
        luminance = (linear @ seen.T).clip(0, 1) @ [0.2126, 0.7152, 0.0722]
        assert (np.diff(luminance) > 0).all()


def test_the_source_keeps_its_colour_at_the_chosen_places_alone():
    source = np.zeros((8, 12, 3), np.uint8)
    source[..., 0] = 200
    one_of_a_quarter = ScoreMap(torch.zeros(1, 24), torch.tensor([[7]]), (4, 6))  # row 1, column 1 of 4 x 6
    shown = on_source(source, one_of_a_quarter)
    there = (shown == source).all(-1)
    expected = np.zeros((8, 12), bool)
    expected[2:4, 2:4] = True
    assert (there == expected).all()


def test_a_border_the_tap_sees_is_shown():
    source = np.full((8, 12, 3), (200, 0, 0), np.uint8)
    corner = ScoreMap(torch.zeros(1, 14 * 18), torch.tensor([[0]]), (14, 18))  # three places of reflection on each side
    shown = on_source(source, corner)
    assert shown.shape == (14, 18, 3)
    assert (shown[0, 0] == (200, 0, 0)).all()
    assert int((shown == (200, 0, 0)).all(-1).sum()) == 1


def test_runs_stand_below_each_other_and_a_single_one_shows_its_places_on_the_source():
    maps = {"tap": ScoreMap(torch.linspace(0, 1, 96)[None], torch.tensor([[3, 40]]), (8, 12))}
    spread = {"coverage": {"tap": {1: 0.2, 2: 0.4}}}
    heights = {
        count: explanation(
            "a", IMAGE, [Explained(f"run {number}", IMAGE, maps, spread) for number in range(count)]
        ).shape[0]
        for count in (1, 2, 3)
    }
    assert heights[3] - heights[2] > 100
    assert heights[1] == heights[2]  # a row less of maps, a row more of places


def test_names_from_outside_are_no_formulas():
    maps = {"tap": ScoreMap(torch.linspace(0, 1, 96)[None], torch.tensor([[3, 40]]), (8, 12))}
    runs = [Explained(label, IMAGE, maps, {"coverage": {"tap": {1: 0.2}}}) for label in ("$x^", r"$\frac{$", "b_$_")]
    assert explanation("$_^$.png", IMAGE, runs).shape[2] == 3
    assert panel(["$_^$"], [(PAIR, maps)]).shape[2] == 3


@pytest.mark.parametrize("epochs", [[1], [1, 2], [1, 2, 3, 40]])
def test_no_tick_overprints_the_label_of_the_epochs(epochs: list[int]):
    figure = Figure(figsize=(2.2, 1.3), layout="constrained")
    axis = figure.subplots()
    _curves(axis, [{epoch: 0.5 for epoch in epochs}])
    FigureCanvasAgg(figure).draw()
    label = axis.xaxis.label.get_window_extent()
    assert [text.get_text() for text in axis.get_xticklabels() if text.get_window_extent().overlaps(label)] == []
