"""Instance norm: the library's numbers, and a gradient that does not depend on the memory layout."""

import pytest
import torch
from torch import Tensor, nn

from src.networks.norm import InstanceNorm

LAYOUTS = (torch.contiguous_format, torch.channels_last)


class Definition(nn.Module):
    def forward(self, x_BCHW: Tensor) -> Tensor:
        return by_definition(x_BCHW)


def by_definition(x_BCHW: Tensor) -> Tensor:
    variance, mean = torch.var_mean(x_BCHW, dim=(2, 3), keepdim=True, correction=0)
    return (x_BCHW - mean) / (variance + 1e-5).sqrt()


def gradient(function, x: Tensor, direction: Tensor) -> Tensor:
    x = x.detach().requires_grad_()
    function(x).backward(direction)
    assert x.grad is not None
    return x.grad


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("channels", [1, 3, 8])
@pytest.mark.parametrize("incoming", LAYOUTS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("behind", [nn.Identity(), nn.ReLU(inplace=True)])
def test_the_gradient_is_right_in_every_layout(images, channels, incoming, layout, behind):
    """The library's is off by 1.4 of its norm for one image whose gradient comes with channels innermost."""
    torch.manual_seed(0)
    x, direction = (torch.randn(images, channels, 6, 7, dtype=torch.float64) for _ in range(2))
    norm = nn.Sequential(InstanceNorm(channels), behind)
    found = gradient(norm, x.to(memory_format=layout), direction.to(memory_format=incoming))
    expected = gradient(nn.Sequential(Definition(), behind), x, direction)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("images", [1, 2])
def test_numbers_are_the_librarys_to_the_bit(images: int):
    torch.manual_seed(0)
    x, direction = (torch.randn(images, 8, 6, 7) for _ in range(2))
    mine, theirs = InstanceNorm(8), nn.InstanceNorm2d(8)
    assert torch.equal(mine(x), theirs(x))
    assert torch.equal(gradient(mine, x, direction), gradient(theirs, x, direction))


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("groups", [1, 8])
@pytest.mark.parametrize("incoming", LAYOUTS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_group_norms_of_attention_have_no_such_fault(images, groups, incoming, layout):
    """One group (triplet) or a group a channel (BAM)."""
    torch.manual_seed(0)
    x, direction = (torch.randn(images, 8, 6, 7, dtype=torch.float64) for _ in range(2))
    norm = nn.GroupNorm(groups, 8).double()
    found = gradient(norm, x.to(memory_format=layout), direction.to(memory_format=incoming))

    def expected(x: Tensor) -> Tensor:
        return by_definition(x.reshape(images, groups, -1, 7)).reshape(x.shape)

    torch.testing.assert_close(found, gradient(expected, x, direction), rtol=1e-10, atol=1e-12)
