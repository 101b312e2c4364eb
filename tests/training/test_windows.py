"""Updates of the one training module: windows are joint batches, and gradients stay out of autocast."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from src.config.build import build_method
from src.methods.base import Batch
from src.training.translation import Translation
from tests.conftest import TINY, batch, config


class Still(torch.optim.SGD):
    """Steps as SGD; remembers the gradients it stepped along."""

    taken: Tensor

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.taken = torch.cat([p.grad.flatten() for p in self.param_groups[0]["params"] if p.grad is not None])
        super().step()


def shell(monkeypatch: pytest.MonkeyPatch, choice: str, *, rate: float, accumulate: int = 1) -> Translation:
    """Without a trainer."""
    torch.manual_seed(0)
    # gains at which the heads' embeddings are more than rounding noise
    gains = ["generator.gain=1", "discriminator.gain=1", "sampler.gain=1"]
    method = build_method(config(*TINY, *gains, choice))
    options = {"decay": 0.5, "ema_decay": 0.9, "channels_last": False, "cuda_graph": False}
    module = Translation(method, optimizer=partial(Still, lr=rate), accumulate=accumulate, **options)
    players = [Still(list(parameters), lr=rate) for parameters in _players(method)]
    monkeypatch.setattr(module, "_optimizers", lambda: players)
    monkeypatch.setattr(module, "manual_backward", lambda loss: loss.backward())
    return module


def _players(method: Any) -> list[list[nn.Parameter]]:
    return [list(method.generator_parameters()), list(method.discriminator_parameters())]


def part(data: Batch, index: int) -> Batch:
    one = slice(index, index + 1)
    return Batch(data.x[one], data.y[one], data.key[one], data.progress)


@pytest.mark.parametrize("choice", ["attention=triplet", "method=fastcut", "method=cyclegan"])
def test_a_window_is_its_joint_batch_for_both_players(choice: str, monkeypatch: pytest.MonkeyPatch):
    """A rate at which D's step moves G's adversarial term: the last batch of a window alone met D's new weights."""
    data = batch(3)
    data = Batch(data.x.double(), data.y.double(), data.key, 0.0)
    joint = shell(monkeypatch, choice, rate=0.5).double()
    joint._update(data)
    windows = shell(monkeypatch, choice, rate=0.5, accumulate=3).double()
    for index in range(3):
        windows._update(part(data, index), 3, step=index == 2)
    for found, expected in zip(windows._optimizers(), joint._optimizers(), strict=True):
        torch.testing.assert_close(found.taken, expected.taken, rtol=1e-8, atol=1e-10)
    for found, expected in zip(windows.method.parameters(), joint.method.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)


def test_a_window_that_waits_keeps_no_graph(monkeypatch: pytest.MonkeyPatch):
    module = shell(monkeypatch, "attention=none", rate=0.1, accumulate=2)
    terms, state, _ = module._update(batch(1), 2, step=False)
    assert terms == {}
    assert not state.outputs.requires_grad
    assert all(parameter.grad is None for parameter in module.method.generator_parameters())


def test_gradients_are_taken_out_of_autocast(monkeypatch: pytest.MonkeyPatch):
    """Of the heads, whose forward pass is in fp32; inside autocast they were 0.4 % off."""
    module = shell(monkeypatch, "attention=none", rate=0.0)
    with torch.autocast("cpu", torch.bfloat16):
        module._update(batch(1))
    found = module._optimizers()[0].taken

    method: Any = shell(monkeypatch, "attention=none", rate=0.0).method
    with torch.autocast("cpu", torch.bfloat16):
        state = method.forward_pass(batch(1))
        terms = method.generator_terms(state)
    torch.stack(list(terms.values())).sum().backward()
    expected = torch.cat([p.grad.flatten() for p in method.generator_parameters()])
    # D's terms come first there, which change nothing at a rate of 0
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("choice", ["attention=triplet", "method=cyclegan"])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_norms_are_of_the_gradients_that_were_stepped_along(
    choice: str, accumulate: int, monkeypatch: pytest.MonkeyPatch
):
    """Of D and of all that G's optimiser has, by part; against what the optimisers were given."""
    module = shell(monkeypatch, choice, rate=0.01, accumulate=accumulate)
    module._gradients.wanted = True
    data = batch(accumulate, height=64, width=64)
    for index in range(accumulate):
        norms = module._update(part(data, index), accumulate, step=index == accumulate - 1)[2]
        assert bool(norms) is (index == accumulate - 1)
    generators, discriminators = module._optimizers()
    parts = {"G", "D"} if "cyclegan" in choice else {"G", "D", "heads", "attention"}
    assert set(norms) == parts
    torch.testing.assert_close(norms["D"], discriminators.taken.norm())
    rest = torch.stack([norm for name, norm in norms.items() if name != "D"])
    torch.testing.assert_close(rest.norm(), generators.taken.norm())
    assert all(float(norm) > 0 for norm in norms.values())


def test_norms_that_are_not_wanted_are_not_computed(monkeypatch: pytest.MonkeyPatch):
    assert shell(monkeypatch, "attention=triplet", rate=0.01)._update(batch(1))[2] == {}
