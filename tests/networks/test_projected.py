"""The discriminator that looks through a frozen network: what is trained, what is kept, and what it sees."""

import copy

import pytest
import torch
from torch import Tensor

from src.methods.cut import CUT
from src.networks.critic import looked_through
from src.networks.projected import SLOPE, STRIDES, ProjectedDiscriminator
from tests.conftest import batch, cut


@pytest.fixture(scope="module")
def network() -> ProjectedDiscriminator:
    torch.manual_seed(0)
    return ProjectedDiscriminator(width=8)


def images(count: int = 2, height: int = 32, width: int = 48) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1


# It is built here, not by `cut`: TINY asks for the paper's
def projected(seed: int = 0) -> CUT:
    method = cut(seed=seed)
    torch.manual_seed(seed)
    method.D = ProjectedDiscriminator(width=8, translation=0.125, cutout=0.3)  # type: ignore[assignment]
    return method


def test_its_levels_are_those_on_the_way_to_the_librarys_own_features(network: ProjectedDiscriminator):
    inner = network.along[0]
    seen: list[Tensor] = []
    hooks = [block.register_forward_hook(lambda *arguments: seen.append(arguments[2])) for block in inner._blocks]
    inner.extract_features(images())
    for hook in hooks:
        hook.remove()
    for level, stride in zip(network._levels(images()), STRIDES, strict=True):
        there = [features for features in seen if features.shape[2:] == (32 // stride, 48 // stride)]
        torch.testing.assert_close(level, there[-1])


def test_every_level_counts_alike(network: ProjectedDiscriminator):
    network.eval()  # spectral norm stands still
    verdicts = network(images())
    assert verdicts.shape == (2, 1, 3 * 8, 12)
    means = []
    for number, level in enumerate(network._levels(images())):
        mixed = torch.einsum("oc,bchw->bohw", network.get_buffer(f"mixing{number}")[:, :, 0, 0], level)
        of_image = [one / one.square().mean().sqrt() for one in mixed]
        means.append(SLOPE * network.heads[number](torch.stack(of_image)).mean())
    torch.testing.assert_close(verdicts.mean(), torch.stack(means).mean())
    network.train()


def test_a_verdict_does_not_depend_on_what_else_is_in_the_batch(network: ProjectedDiscriminator):
    network.eval()
    torch.testing.assert_close(network(images())[:1], network(images()[:1]), rtol=1e-4, atol=1e-5)
    network.train()


def test_the_heads_alone_are_trained_and_saved():
    method = projected()
    inner = method.D.along[0]  # type: ignore[union-attr, index]
    before = copy.deepcopy(inner.state_dict())
    assert looked_through(method) == "efficientnet_lite2"
    assert not any("along" in name for name in method.state_dict())
    trained = list(method.discriminator_parameters())
    assert sum(p.numel() for p in trained) == 3 * (8 * 8 * 9 + 8 + 8 * 8 + 8 + 8 + 1)
    optimizer = torch.optim.Adam(trained, lr=0.1)
    first = [p.detach().clone() for p in trained]
    torch.stack(list(method.discriminator_terms(method.forward_pass(batch(2, 64, 64))).values())).sum().backward()
    optimizer.step()
    assert all(not torch.equal(p, old) for p, old in zip(trained, first, strict=True))
    assert all(torch.equal(value, before[name]) for name, value in inner.state_dict().items())


def test_gs_gradient_comes_through():
    method = projected()
    method.generator_terms(method.forward_pass(batch(1, 64, 64)))["gan"].backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in method.G.decoder.parameters() if p.ndim > 1)


def test_it_moves_and_casts_as_a_whole():
    network = ProjectedDiscriminator(width=8).double()
    assert network(images().double()).dtype == torch.float64
    assert next(network.along[0].parameters()).dtype == torch.float64


def test_what_is_saved_goes_on_to_the_bit():
    """Mixing and the state of spectral norm are saved; the frozen network is brought by its package."""

    def steps(method: CUT, optimizer: torch.optim.Optimizer, count: int) -> None:
        for _ in range(count):
            terms = method.discriminator_terms(method.forward_pass(batch(1, 32, 32)))
            torch.stack(list(terms.values())).sum().backward()
            optimizer.step()
            optimizer.zero_grad()

    straight, later = projected(seed=0), projected(seed=5)
    adams = [torch.optim.Adam(method.discriminator_parameters(), lr=0.01) for method in (straight, later)]
    steps(straight, adams[0], 2)
    later.load_state_dict(copy.deepcopy(straight.state_dict()))
    adams[1].load_state_dict(copy.deepcopy(adams[0].state_dict()))
    steps(straight, adams[0], 2)
    steps(later, adams[1], 2)
    assert all(torch.equal(value, later.state_dict()[name]) for name, value in straight.state_dict().items())


def test_bad_arguments_are_refused(network: ProjectedDiscriminator):
    with pytest.raises(ValueError, match=r"discriminator\.width must lie in"):
        ProjectedDiscriminator(width=0)
    with pytest.raises(ValueError, match="at least 16x16 pixels"):
        network(images(height=15))
