"""Winograd's convolution against the definition."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from src.translation.strips.winograd import ROWS, Winograd


@pytest.mark.parametrize(("channels", "out"), [(1, 1), (3, 5), (64, 32)])
@pytest.mark.parametrize(("windows", "width"), [(1, 1), (2, 7), (3, 20)])
def test_it_is_the_convolution(channels: int, out: int, windows: int, width: int):
    torch.manual_seed(0)
    conv = nn.Conv2d(channels, out, 3).double().requires_grad_(False)
    x = torch.randn(1, channels, windows * ROWS + 2, width + 2, dtype=torch.double)
    # float64 shows that the formula holds
    torch.testing.assert_close(Winograd(conv)(x), F.conv2d(x, conv.weight, conv.bias), atol=1e-12, rtol=0)


def test_rounding_in_single_precision_stays_small():
    torch.manual_seed(0)
    conv = nn.Conv2d(256, 256, 3).requires_grad_(False)
    x = torch.randn(1, 256, 2 * ROWS + 2, 32)
    exact = F.conv2d(x.double(), conv.weight.double(), conv.bias.double())
    # the direct sum is at about 1e-6; the interpolation points up to 2 cost a digit
    assert float((Winograd(conv)(x) - exact).abs().max() / exact.std()) < 3e-5


def test_its_memory_fits_a_strip_of_another_height_too():
    torch.manual_seed(0)
    conv = nn.Conv2d(4, 4, 3).requires_grad_(False)
    ours = Winograd(conv)
    for windows in (2, 1, 2):
        x = torch.randn(1, 4, windows * ROWS + 2, 10)
        torch.testing.assert_close(ours(x), F.conv2d(x, conv.weight, conv.bias), atol=1e-5, rtol=0)
