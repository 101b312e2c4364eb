"""Blur-pooled resampling against the filters it stands for."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from src.networks.resample import BlurDown, BlurUp


@pytest.mark.parametrize("shape", [(8, 8), (6, 10), (7, 9)])
def test_down_is_a_mirrored_binomial_filter_at_every_second_place(shape: tuple[int, int]):
    image = np.random.default_rng(0).normal(size=shape)
    padded = np.pad(image, 1, mode="reflect")
    weights = np.outer([1, 2, 1], [1, 2, 1]) / 16
    expected = [
        [(padded[r : r + 3, c : c + 3] * weights).sum() for c in range(0, shape[1], 2)] for r in range(0, shape[0], 2)
    ]
    output = BlurDown(1).double()(torch.from_numpy(image)[None, None])[0, 0]
    np.testing.assert_allclose(output.numpy(), expected, atol=1e-7)  # the kernel is kept in float32


def test_up_is_the_four_tap_filter_between_inserted_zeros():
    image = torch.randn(1, 2, 5, 6, dtype=torch.float64)
    row = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64) / 8
    # times 4: three of four places hold an inserted zero
    kernel = (row[:, None] * row * 4).expand(2, 1, 4, 4)
    padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
    full = F.conv_transpose2d(padded, kernel, stride=2, groups=2)
    expected = full[:, :, 3:-3, 3:-3]
    torch.testing.assert_close(BlurUp()(image), expected, atol=1e-12, rtol=0)
