"""D: its size and what each verdict sees."""

import pytest
import torch

from src.networks.discriminator import Discriminator
from tests.networks.test_generator import parameters, without_norms


def test_has_the_papers_parameters_at_width_64():
    assert parameters(Discriminator(width=64, blur=True, init="xavier", gain=0.02)) == 2_764_737


@pytest.mark.parametrize(("blur", "expected"), [(True, 84), (False, 70)])
def test_verdicts_see_84_pixels_with_blur_pool_and_70_without(blur: bool, expected: int):
    torch.manual_seed(0)
    discriminator = without_norms(Discriminator(width=2, blur=blur, init="xavier", gain=1.0)).double()
    image = torch.randn(1, 3, 200, 200, dtype=torch.float64, requires_grad=True)
    verdict = discriminator(image)
    verdict[0, 0, verdict.shape[2] // 2, verdict.shape[3] // 2].backward()
    assert image.grad is not None
    rows = image.grad.abs().sum((0, 1, 3)).nonzero()
    assert int(rows.max() - rows.min()) + 1 == expected


def test_gives_the_references_30_by_30_map_at_256():
    assert Discriminator(width=2, blur=True, init="xavier", gain=0.02)(torch.randn(1, 3, 256, 256)).shape == (
        1,
        1,
        30,
        30,
    )


def test_refuses_images_too_small_to_judge():
    with pytest.raises(ValueError, match="at least 32x32"):
        Discriminator(width=2, blur=True, init="xavier", gain=0.02)(torch.randn(1, 3, 16, 64))
