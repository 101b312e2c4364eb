"""Gradients of every method: the same in every memory layout, and those of finite differences."""

from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from src.config.build import build_method
from src.methods.base import Batch
from tests.conftest import ATTENTIONS, TINY, batch, config

CHOICES = {
    "cut": [],
    "fastcut": ["method=fastcut"],
    "cyclegan": ["method=cyclegan"],
    # one image a pass: without the identity term y is not generated
    **{name: [f"attention={name}", "method.lambda_y=0"] for name in ATTENTIONS},
}

# far from where embeddings are rounding noise and any step is a large one
GAINS = ["generator.gain=1", "discriminator.gain=1", "sampler.gain=1"]


def build(choice: str, layout: torch.memory_format) -> Any:
    torch.manual_seed(0)
    method: nn.Module = build_method(config(*TINY, *GAINS, *CHOICES[choice]))
    return method.double().to(memory_format=layout)


def images(size: int) -> Batch:
    data = batch(size)
    return Batch(data.x.double(), data.y.double(), data.key, 0.0)


def gradients(method: Any, state: Any, player: str) -> Tensor:
    method.zero_grad()
    torch.stack(list(getattr(method, player)(state).values())).sum().backward()
    return torch.cat([p.grad.flatten() for p in method.parameters() if p.grad is not None])


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("size", [1, 2])
def test_channels_innermost_change_no_gradient(choice: str, size: int):
    """With PyTorch 2.14.1's own norm on a CPU: off by 1.1 to 1.4 where one image goes through a network."""
    found = []
    for layout in (torch.contiguous_format, torch.channels_last):
        method = build(choice, layout)
        state = method.forward_pass(images(size))
        found.append([gradients(method, state, player) for player in ("generator_terms", "discriminator_terms")])
    for plain, innermost in zip(*found, strict=True):
        assert float((innermost - plain).norm() / plain.norm()) < 1e-9


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("size", [1, 2])
def test_gradients_of_g_are_finite_differences(choice: str, size: int):
    """Along one direction of G's weights, with channels innermost; keys and places stay what they were."""
    method, data = build(choice, torch.channels_last), images(size)
    weights = list(method.G.parameters())
    state = method.forward_pass(data)
    constants = {f.name: getattr(state, f.name) for f in fields(state) if f.name in ("features", "places", "keys")}
    gradients(method, state, "generator_terms")
    direction = [torch.randn_like(weight) for weight in weights]
    found = sum(float((weight.grad * step).sum()) for weight, step in zip(weights, direction, strict=True))

    @torch.no_grad()
    def loss(length: float) -> float:
        for weight, step in zip(weights, direction, strict=True):
            weight += length * step
        moved = replace(method.forward_pass(data), **constants)
        value = float(torch.stack(list(method.generator_terms(moved).values())).sum())
        for weight, step in zip(weights, direction, strict=True):
            weight -= length * step
        return value

    # small enough that hardly a ReLU changes sides
    expected = (loss(1e-9) - loss(-1e-9)) / 2e-9
    assert found == pytest.approx(expected, rel=1e-4)
