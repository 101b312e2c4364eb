"""No place is chosen where the image is ignored, while others are left."""

import numpy as np
import pytest
import torch

from src.networks.generator import TAPS
from src.networks.inside import at_centres
from tests.conftest import ATTENTIONS, SELECTIONS, batch, cut

STRIDES = {"pixels": 1, "down1": 1, "down2": 2, "block1": 4, "block5": 4}


def centre(tap: str, place: int, width: int) -> tuple[int, int]:
    """Row and column of the image; the map of the pixels has three reflected ones on each side."""
    row, column = divmod(place, width)
    before = 3 if tap == "pixels" else 0
    return row * STRIDES[tap] - before, column * STRIDES[tap] - before


@pytest.mark.parametrize("tap", TAPS)
def test_centres_against_a_loop(tap: str):
    image = torch.rand(2, 1, 32, 48, generator=torch.Generator().manual_seed(0))
    grid = (38, 54) if tap == "pixels" else (32 // STRIDES[tap], 48 // STRIDES[tap])
    found = at_centres(tap, grid, STRIDES[tap], image)
    for place in range(grid[0] * grid[1]):
        row, column = centre(tap, place, grid[1])
        row, column = min(max(row, 0), 31), min(max(column, 0), 47)
        assert torch.equal(found[:, place], image[:, 0, row, column])


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_no_chosen_place_is_ignored_while_others_are_left(attention: str, selection: str):
    method = cut(f"attention={attention}", f"selection={selection}")
    x = batch(2, 64, 64).x
    ignored = torch.zeros(2, 1, 64, 64, dtype=torch.bool)
    ignored[0, :, 24:] = True
    ignored[1, :, :, :40] = True
    maps = method.score_maps(x, torch.tensor([5, 7]), 0.5, ignored)
    for tap in TAPS:
        places = maps[tap].places
        for b in range(2):
            assert len(set(places[b].tolist())) == 8
            for place in places[b].tolist():
                row, column = centre(tap, place, maps[tap].grid[1])
                assert not ignored[b, 0, row, column]
    plain = method.score_maps(x, torch.tensor([5, 7]), 0.5)
    inside = [
        ignored[b, 0][centre(t, p, plain[t].grid[1])] for t in TAPS for b in (0, 1) for p in plain[t].places[b].tolist()
    ]
    assert any(inside)


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("left", [0, 3])
def test_all_others_come_first_where_they_are_too_few(selection: str, left: int):
    rule = cut(f"selection={selection}").H.selection
    score = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 30)))
    last = torch.ones(3, 30, dtype=torch.bool)
    last[:, 7 : 7 + left] = False
    chosen = rule(score, (5, 6), torch.tensor([1, 2, 3]), 0.5, last)
    assert chosen.shape == (3, 8)
    for row in chosen.tolist():
        assert set(row[:left]) == set(range(7, 7 + left))
        assert len(set(row)) == 8


@pytest.mark.parametrize("selection", SELECTIONS)
def test_a_mask_of_nothing_changes_no_choice(selection: str):
    method = cut("attention=triplet", f"selection={selection}")
    x, key = batch(2).x, torch.tensor([5, 7])
    nothing = torch.zeros(2, 1, 32, 32, dtype=torch.bool)
    for tap, found in method.score_maps(x, key, 0.5, nothing).items():
        plain = method.score_maps(x, key, 0.5)[tap].places
        assert torch.equal(found.places.sort(dim=1).values, plain.sort(dim=1).values)


def test_the_identity_terms_places_follow_the_masks_of_y():
    method = cut("attention=none", "method.lambda_y=1")
    data = batch(2)
    mask = torch.zeros(2, 1, 32, 32, dtype=torch.bool)
    mask[:, :, 12:] = True
    state = method.forward_pass(type(data)(data.x, data.y, data.key, 0.0, ignored_y=mask))
    rows = state.places["down1"] // 32
    assert int(rows[2:].max()) < 12 <= int(rows[:2].max())
