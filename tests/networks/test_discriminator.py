"""D: its size and what each verdict sees."""

import pytest
import torch

from src.networks.discriminator import Discriminator
from tests.networks.test_generator import parameters, without_norms


def test_has_the_papers_parameters_at_width_64():
    assert parameters(Discriminator(width=64, halvings=3, blur=True, init="xavier", gain=0.02)) == 2_764_737


# without blur, by hand from the last layer back: r -> 2 r + 2 at a halving, r + 3 at the two convolutions before;
# each blur reaches one pixel further to both sides, at the resolution before it
@pytest.mark.parametrize(
    ("halvings", "blur", "expected"), [(3, True, 84), (3, False, 70), (2, True, 40), (2, False, 34)]
)
def test_how_far_a_verdict_sees(halvings: int, blur: bool, expected: int):
    torch.manual_seed(0)
    discriminator = without_norms(
        Discriminator(width=2, halvings=halvings, blur=blur, init="xavier", gain=1.0)
    ).double()
    image = torch.randn(1, 3, 200, 200, dtype=torch.float64, requires_grad=True)
    verdict = discriminator(image)
    verdict[0, 0, verdict.shape[2] // 2, verdict.shape[3] // 2].backward()
    assert image.grad is not None
    rows = image.grad.abs().sum((0, 1, 3)).nonzero()
    assert int(rows.max() - rows.min()) + 1 == expected


def test_gives_the_references_30_by_30_map_at_256():
    discriminator = Discriminator(width=2, halvings=3, blur=True, init="xavier", gain=0.02)
    assert discriminator(torch.randn(1, 3, 256, 256)).shape == (1, 1, 30, 30)


@pytest.mark.parametrize(("halvings", "side"), [(3, 32), (2, 16)])
def test_refuses_images_too_small_to_judge(halvings: int, side: int):
    discriminator = Discriminator(width=2, halvings=halvings, blur=True, init="xavier", gain=0.02)
    assert discriminator(torch.randn(1, 3, side, 64)).numel() > 0
    with pytest.raises(ValueError, match=f"at least {side}x{side}"):
        discriminator(torch.randn(1, 3, side // 2, 64))
