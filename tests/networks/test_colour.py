"""Colour statistics of sets, and the alignment made of them."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from src.config.build import build_method
from src.methods.base import Batch
from src.networks.colour import ColourAlignment, Colours, colours_of
from tests.conftest import TINY, batch, config, cut

MIX = torch.tensor([[0.3, 0.1, 0.0], [0.0, 0.2, 0.1], [0.1, 0.0, 0.1]]).double()
X = Colours(torch.tensor([-0.4, -0.2, 0.0]).double(), MIX @ MIX.T)
Y = Colours(torch.tensor([0.1, 0.0, -0.1]).double(), MIX.T @ MIX * 0.5 + 0.01 * torch.eye(3))


def images() -> list[Tensor]:
    draws = torch.Generator().manual_seed(0)
    return [torch.rand(3, height, width, generator=draws) - 0.7 for height, width in ((8, 12), (20, 5), (9, 9))]


def test_statistics_count_every_pixel_of_every_image():
    pixels = np.concatenate([image.flatten(1).double().numpy() for image in images()], axis=1)
    found = colours_of(images())
    np.testing.assert_allclose(found.mean, pixels.mean(1), atol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(pixels, bias=True), atol=1e-12)


def test_aligned_pixels_have_the_targets_statistics():
    white = torch.randn(3, 40_000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    white = white - white.mean(1, keepdim=True)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(white @ white.T / 40_000), white, upper=False)
    x = (X.mean[:, None] + MIX @ white).reshape(1, 3, 200, 200)
    alignment = ColourAlignment().double()
    alignment.fit(X, Y)
    aligned = torch.einsum("ij,bjhw->bihw", alignment.matrix, x) + alignment.shift[:, None, None]
    found = colours_of(aligned)  # before it is pressed into the range
    torch.testing.assert_close(found.mean, Y.mean, atol=1e-6, rtol=0)
    torch.testing.assert_close(found.covariance, Y.covariance, atol=1e-6, rtol=0)
    # of all linear maps that do so, the one that is symmetric and positive moves colours least
    torch.testing.assert_close(alignment.matrix, alignment.matrix.T, atol=1e-6, rtol=0)
    assert (torch.linalg.eigvalsh(alignment.matrix) > 0).all()
    within = aligned.abs() <= 0.5
    torch.testing.assert_close(alignment(x)[within], aligned[within])


def test_a_game_of_full_colours_becomes_as_grey_as_the_photographs():
    grey = Colours(torch.zeros(3).double(), 0.1 * torch.ones(3, 3).double())
    alignment = ColourAlignment()
    alignment.fit(Colours(torch.zeros(3).double(), 0.1 * torch.eye(3).double()), grey)
    image = 0.5 * torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)) - 0.25
    assert float(alignment(image).std(1).max()) < 0.01 * float(image.std(1).max())


def test_beyond_the_knee_values_keep_their_order_and_the_range():
    alignment = ColourAlignment().double()
    own = Colours(X.mean, 0.01 * torch.eye(3).double())
    alignment.fit(own, Colours(Y.mean, 16 * own.covariance))  # four times the contrast
    ramp = torch.linspace(-1, 1, 401).double().expand(1, 3, 1, 401)
    aligned = alignment(ramp)[0, :, 0]
    for channel, out in enumerate(aligned):
        u = 4 * (ramp[0, 0, 0] - X.mean[channel]) + Y.mean[channel]
        expected = [v if abs(v) <= 0.5 else math.copysign(0.5 + 0.5 * math.tanh(2 * abs(v) - 1), v) for v in u.tolist()]
        assert out.tolist() == pytest.approx(expected, abs=1e-6)  # matrix and shift were rounded to float32
        assert (out.diff() > 0).all()  # cut off, half of them would be equal
        assert out.abs().max() < 1


def test_a_set_of_one_colour_is_no_division_by_zero():
    alignment = ColourAlignment()
    alignment.fit(Colours(X.mean, torch.zeros(3, 3).double()), Y)
    assert alignment.matrix.isfinite().all()
    torch.testing.assert_close(alignment(X.mean.float()[:, None, None]), Y.mean.float()[:, None, None])


def test_it_travels_with_the_weights():
    method = cut("generator.align=true")
    method.fit_colours(X, Y)
    other = cut("generator.align=true", seed=1)
    other.load_state_dict(method.state_dict())
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    torch.testing.assert_close(other.G(x), method.G(x), atol=0, rtol=0)
    assert not any("align" in name for name, _ in method.named_parameters())


def test_cut_compares_the_output_with_the_aligned_source_and_never_aligns_y():
    method = cut("generator.align=true", "generator.output=residual", "attention=none")
    method.fit_colours(X, Y)
    data = batch(size=2)
    state = method.forward_pass(data)
    aligned = method.G.align(data.x)
    torch.testing.assert_close(state.outputs, torch.cat([aligned, data.y]), atol=1e-3, rtol=0)
    for tap, feature in method.G.encoder(torch.cat([aligned, data.y])).items():
        torch.testing.assert_close(state.features[tap], feature)


def test_cyclegan_aligns_both_ways_each_with_its_own_statistics():
    torch.manual_seed(0)
    method = build_method(
        config(*TINY, "method=cyclegan", "generator.align=true", "generator.output=residual", "method.pool=0")
    )
    method.fit_colours(X, Y)
    data = batch(size=2)
    state = method.forward_pass(Batch(data.x, data.y, data.key, 0.0))
    torch.testing.assert_close(state.fake_y, method.G.align(data.x), atol=1e-3, rtol=0)
    torch.testing.assert_close(state.fake_x, method.F.align(data.y), atol=1e-3, rtol=0)
    torch.testing.assert_close(state.identity_y, data.y, atol=1e-3, rtol=0)
    torch.testing.assert_close(method.F.align.matrix @ method.G.align.matrix, torch.eye(3), atol=1e-4, rtol=0)


def test_without_it_the_statistics_change_nothing():
    method = cut("generator.align=false")
    before = {name: value.clone() for name, value in method.state_dict().items()}
    method.fit_colours(X, Y)
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())
