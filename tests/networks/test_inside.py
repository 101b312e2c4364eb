"""Ranked places lie inside the image: the border's share of them is at most its share of the map."""

import numpy as np
import pytest
import torch
from torch import Tensor

from src.data.streets.camera import CAMERA
from src.data.streets.render import render
from src.data.transforms import resize, to_tensor
from src.networks.generator import TAPS
from src.networks.inside import RECEPTIVE_FIELDS, Inside, inside
from tests.conftest import ATTENTIONS, SELECTIONS, cut

# pixels a side of the tap's map at 64 pixels, and from a place to the next
GRIDS = {"pixels": (70, 1), "down1": (64, 1), "down2": (32, 2), "block1": (16, 4), "block5": (16, 4)}


def test_places_go_through_the_inner_map_and_back():
    inner = Inside((5, 7), 1)
    score_BP = torch.arange(35)[None]
    assert inner.take(score_BP).tolist() == [[8, 9, 10, 11, 12, 15, 16, 17, 18, 19, 22, 23, 24, 25, 26]]
    places = inner.places(torch.arange(15)[None])
    assert torch.equal(score_BP.gather(1, places), inner.take(score_BP))


@pytest.mark.parametrize(("tap", "border"), {"pixels": 3, "down1": 4, "down2": 4, "block1": 5, "block5": 8}.items())
def test_at_256_pixels_the_border_is_what_a_patch_reaches_over(tap: str, border: int):
    side, stride = {"pixels": (262, 1), "down1": (256, 1), "down2": (128, 2)}.get(tap, (64, 4))
    assert inside(tap, (side, side), stride, 128, ranked=True).border == border
    # a patch around the outermost place that is left lies in the image, where an eighth of the map allows that
    if tap not in ("pixels", "block5"):
        assert border * stride >= RECEPTIVE_FIELDS[tap] // 2


def test_random_draws_leave_out_the_reflection_alone():
    found = {tap: inside(tap, (side, side), stride, 128, ranked=False).border for tap, (side, stride) in GRIDS.items()}
    assert found == {"pixels": 3, "down1": 0, "down2": 0, "block1": 0, "block5": 0}


def test_a_border_gives_way_before_there_are_too_few_places():
    assert inside("block1", (16, 16), 4, 144, ranked=True).border == 2
    assert inside("block1", (16, 16), 4, 145, ranked=True).border == 1
    assert inside("block1", (16, 16), 4, 256, ranked=True).border == 0


@pytest.fixture(scope="module")
def looks() -> dict[str, Tensor]:
    # no photograph lies in the repository: frames as the built-in camera takes them
    real = torch.stack([to_tensor(resize(render(CAMERA, number)[0], (64, 64))) for number in range(2)])
    noise = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (2, 3, 64, 64))).float()
    return {"constant": torch.full((2, 3, 64, 64), 0.3), "noise": noise, "real": real}


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("attention", [name for name in ATTENTIONS if name != "none"])
@pytest.mark.parametrize("look", ["constant", "noise", "real"])
def test_the_borders_share_of_chosen_places_is_at_most_its_share_of_places(
    look: str, attention: str, selection: str, looks: dict[str, Tensor]
):
    method = cut(f"attention={attention}", f"selection={selection}", "selection.patches=32")
    maps = method.score_maps(looks[look], torch.tensor([5, 7]), 0.5)
    ranked = [tap for tap in TAPS if type(method.H.attention[tap]).__name__ != "NoAttention"]
    assert ranked
    for tap in ranked:
        height, width = maps[tap].grid
        outermost = 3 if tap == "pixels" else 1  # the reflection; what the first row's patches see is mirrored in part
        rows, columns = maps[tap].places // width, maps[tap].places % width
        distance = torch.stack([rows, columns, height - 1 - rows, width - 1 - columns]).amin(0)
        share = 1 - (height - 2 * outermost) * (width - 2 * outermost) / (height * width)
        assert float((distance < outermost).float().mean()) <= share
        assert maps[tap].places.unique(dim=1).shape == maps[tap].places.shape


def test_no_place_of_any_attention_is_a_reflected_pixel():
    for attention in ATTENTIONS:
        method = cut(f"attention={attention}")
        places = method.score_maps(torch.rand(2, 3, 32, 48) * 2 - 1, torch.tensor([5, 7]), 0.0)["pixels"].places
        rows, columns = places // 54, places % 54
        assert 3 <= int(rows.min()) <= int(rows.max()) < 35
        assert 3 <= int(columns.min()) <= int(columns.max()) < 51
