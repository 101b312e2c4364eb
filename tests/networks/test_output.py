"""What the last convolution becomes: the paper's image, or a change of the input that starts at none."""

import numpy as np
import pytest
import torch

from src.config.build import build_method
from src.methods.parts import parameters_by_part
from src.networks.generator import Architecture, Generator, blank
from src.networks.output import PlainOutput, ResidualOutput
from tests.conftest import TINY, config, cut
from tests.networks.test_generator import parameters


def generator(**options: object) -> Generator:
    torch.manual_seed(0)
    return Generator(width=4, blur=True, init="xavier", gain=0.02, output="residual", **options)  # type: ignore[arg-type]


def test_a_fresh_residual_generator_is_the_identity_over_the_whole_range():
    ramp = torch.linspace(-1, 1, 3 * 32 * 48).reshape(1, 3, 32, 48)  # black and white among its values
    with torch.no_grad():
        torch.testing.assert_close(generator()(ramp), ramp, atol=1e-3, rtol=0)


def test_its_equation():
    draws = np.random.default_rng(0)
    x, r = draws.uniform(-1, 1, (2, 3, 4, 5)), draws.normal(0, 2, (2, 3, 4, 5))
    expected = np.clip(np.tanh(np.arctanh(0.995 * x) + r) / 0.995, -1, 1)
    output = ResidualOutput()(torch.from_numpy(r), torch.from_numpy(x))
    np.testing.assert_allclose(output.numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(PlainOutput()(torch.from_numpy(r), torch.from_numpy(x)).numpy(), np.tanh(r), atol=1e-12)


def test_no_output_leaves_the_range_of_images():
    r = torch.tensor([-1e4, -3.0, 0.0, 3.0, 1e4]).expand(1, 3, 5, 5)
    x = torch.tensor([-1.0, -0.5, 0.0, 0.5, 1.0])[:, None].expand(1, 3, 5, 5)
    output = ResidualOutput()(r, x)
    assert output.isfinite().all()
    assert output.abs().max() == 1


def test_half_precision_keeps_the_identity_within_a_grey_level():
    ramp = torch.linspace(-1, 1, 3 * 32 * 48).reshape(1, 3, 32, 48)
    output = ResidualOutput()(torch.zeros_like(ramp).half(), ramp.half()).float()
    torch.testing.assert_close(output, ramp, atol=2 / 255, rtol=0)


def test_the_gradient_reaches_every_weight_after_the_first_step():
    network = generator()
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    for _ in range(2):
        network.zero_grad()
        (network(x) - x.flip(2)).square().mean().backward()
        with torch.no_grad():
            for parameter in network.parameters():
                assert parameter.grad is not None
                parameter -= 0.1 * parameter.grad
    # a bias before a norm has none
    assert all(p.grad.abs().max() > 0 for name, p in network.named_parameters() if name.endswith("weight"))


@pytest.mark.parametrize("options", [{"output": "residual"}, {"align": True}, {"output": "residual", "align": True}])
def test_nothing_of_it_is_a_parameter(options: dict[str, object]):
    network = Generator(width=64, blur=True, init="xavier", gain=0.02, **options)  # type: ignore[arg-type]
    assert parameters(network) == 11_378_179


def test_the_methods_count_no_more_parameters_with_it():
    own = ["generator.output=residual", "generator.align=true"]
    for method in ("cut", "cyclegan"):
        plain, residual = (build_method(config(*TINY, f"method={method}", *more)) for more in ([], own))
        assert parameters_by_part(plain) == parameters_by_part(residual)


def test_an_unknown_output_is_named():
    with pytest.raises(ValueError, match=r"generator\.output must be plain or residual, got 'skip'"):
        Generator(width=4, blur=True, init="xavier", gain=0.02, output="skip")  # type: ignore[arg-type]


def test_its_weights_have_the_plain_networks_names():
    plain, residual = (blank(Architecture(4, True, 9, output)) for output in ("plain", "residual"))
    assert list(plain.state_dict()) == list(residual.state_dict())


def test_cut_translates_with_it():
    method = cut("generator.output=residual", "generator.align=false")
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    torch.testing.assert_close(method.translator()(x), x, atol=1e-3, rtol=0)
