"""D sees nothing of ignored pixels, real or translated: no verdict changes with them, no gradient reaches them."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from src.config.build import build_method
from src.methods.base import Batch
from src.methods.cyclegan import CycleGAN
from src.methods.ignored import either, greyed, stacked
from tests.conftest import TINY, batch, config, cut


def masked(ignores: str) -> Batch:
    """Two images a domain; the mask of x is below, and not symmetric, that of y on the right."""
    data = batch(2)
    of_x, of_y = torch.zeros(2, 2, 1, 32, 32, dtype=torch.bool)
    of_x[:, :, 20:, :25] = True
    of_y[:, :, :10, 25:] = True
    own = {"ignored_x": of_x if "x" in ignores else None, "ignored_y": of_y if "y" in ignores else None}
    return Batch(data.x.double(), data.y.double(), data.key, 0.0, **own)


def cyclegan() -> CycleGAN:
    torch.manual_seed(0)
    method = build_method(config(*TINY, "method=cyclegan", "method.pool=2")).double()
    assert isinstance(method, CycleGAN)
    return method


def union(data: Batch) -> Tensor:
    ignored = torch.zeros(2, 1, 32, 32, dtype=torch.bool)
    for mask in (data.ignored_x, data.ignored_y):
        if mask is not None:
            ignored |= mask
    return ignored


def altered(image: Tensor, ignored: Tensor) -> Tensor:
    return torch.where(ignored, torch.rand(image.shape, dtype=image.dtype), image)


def assert_zero_only_there(gradient: Tensor, ignored: Tensor) -> None:
    everywhere = ignored.expand_as(gradient)
    assert bool((gradient[everywhere] == 0).all())
    assert bool((gradient[~everywhere] != 0).any(dim=0))


@pytest.mark.parametrize("ignores", ["x", "y", "xy"])
@pytest.mark.parametrize("method", ["cut", "fastcut"])
def test_cuts_discriminator_sees_nothing_of_ignored_pixels(method: str, ignores: str):
    # neither shifted nor cut: zeros of an augmentation are not those of a mask
    plain = ["discriminator.translation=0", "discriminator.cutout=0"]
    model, data = cut(f"method={method}", "attention=none", *plain).double(), masked(ignores)
    state = model.forward_pass(data)
    ignored = union(data)
    if state.mirrored is not None and data.ignored_x is not None:
        ignored = torch.stack(
            [
                (data.ignored_x[b].flip(2) if bool(state.mirrored[b]) else data.ignored_x[b])
                | (data.ignored_y[b] if data.ignored_y is not None else False)
                for b in range(2)
            ]
        )
    (gradient,) = torch.autograd.grad(model.generator_terms(state)["gan"], state.outputs, retain_graph=True)
    assert_zero_only_there(gradient[:2], ignored)
    outputs = torch.cat([altered(state.fake, ignored), state.outputs[2:]])
    other = replace(state, outputs=outputs, real=altered(state.real, ignored))
    assert model.discriminator_terms(other) == model.discriminator_terms(state)
    assert model.discriminator_terms(replace(other, ignored=None)) != model.discriminator_terms(state)


@pytest.mark.parametrize("ignores", ["x", "y", "xy"])
def test_cyclegans_discriminators_see_nothing_of_ignored_pixels(ignores: str):
    model, data = cyclegan(), masked(ignores)
    state, ignored = model.forward_pass(data), union(data)
    terms = model.generator_terms(state)
    for domain, fake in (("y", state.fake_y), ("x", state.fake_x)):
        (gradient,) = torch.autograd.grad(terms[f"gan_{domain}"], fake, retain_graph=True)
        assert bool((gradient[ignored.expand_as(gradient)] == 0).all())
        assert bool((gradient != 0).any())
    for shown in (state.shown_x, state.shown_y, model.pool_x.images, model.pool_y.images):
        assert bool((shown[ignored.expand_as(shown)] == 0).all())
    other = replace(state, x=altered(state.x, ignored), y=altered(state.y, ignored))
    assert model.discriminator_terms(other) == model.discriminator_terms(state)


def test_masks_of_one_domain_or_none():
    x, y = torch.tensor([[[[True, False]]]]), torch.tensor([[[[False, False]]]])
    assert either(None, None) is None
    assert either(x, None) is x
    assert either(None, y) is y
    assert torch.equal(either(x, x.flip(3)), torch.tensor([[[[True, True]]]]))  # type: ignore[arg-type]
    assert stacked(None, None) is None
    assert torch.equal(stacked(x, None), torch.cat([x, y]))  # type: ignore[arg-type]
    assert torch.equal(stacked(None, x), torch.cat([y, x]))  # type: ignore[arg-type]
    image = torch.rand(1, 3, 1, 2)
    assert greyed(image, None) is image
    assert torch.equal(greyed(image, x)[0, :, 0], torch.stack([torch.zeros(3), image[0, :, 0, 1]], dim=1))
