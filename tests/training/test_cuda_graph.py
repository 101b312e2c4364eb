from functools import partial

import pytest
import torch

from src.config.build import build_method
from src.methods.base import Batch
from src.system.errors import UserError
from src.training.cuda_graph import WARM_UP, CudaGraph
from src.training.translation import Translation
from tests.conftest import ATTENTIONS, TINY, batch, config, cut

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")


def shell(method, **options):
    options = {"decay": 0.5, "ema_decay": 0.9, "accumulate": 1, "channels_last": False, "cuda_graph": False, **options}
    return Translation(method, optimizer=partial(torch.optim.Adam, lr=1e-3), **options)


def test_a_graph_of_windows_is_refused():
    with pytest.raises(UserError, match=r"module\.accumulate=1"):
        shell(cut(), accumulate=2, cuda_graph=True)


def test_channels_last_changes_the_layout_and_not_the_terms():
    terms = []
    for channels_last in (False, True):
        method = cut("attention=triplet")
        shell(method, channels_last=channels_last)
        state = method.forward_pass(batch(2))
        assert state.features["down1"].is_contiguous(memory_format=torch.channels_last) is channels_last
        terms.append(torch.stack(list(method.generator_terms(state).values())))
    torch.testing.assert_close(terms[0], terms[1])


def on_gpu(images: Batch) -> Batch:
    return Batch(images.x.cuda().double(), images.y.cuda().double(), images.key.cuda(), images.progress)


def trained(choice: str, *, record: bool) -> torch.Tensor:
    """The weights after a few steps with fresh images, keys, progress and rate each."""
    torch.manual_seed(0)
    own = ["method.pool=5"] if "cyclegan" in choice else ["selection=gumbel", "selection.patches=8"]
    method = build_method(config(*TINY[:2], choice, *own)).cuda().double()
    rate = torch.tensor(1e-3, device="cuda", dtype=torch.float64)
    players = {
        "generator_terms": method.generator_parameters(),
        "discriminator_terms": method.discriminator_parameters(),
    }
    # an eps above the gradients: Adam would otherwise take full steps along the rounding noise of idle biases
    optimizers = {
        terms: torch.optim.Adam(list(parameters), lr=rate, betas=(0.5, 0.999), eps=1.0, capturable=True)
        for terms, parameters in players.items()
    }

    def step(images: Batch) -> None:
        state = method.forward_pass(images)
        for name in list(players) if method.generators_first else reversed(players):
            for parameter in method.discriminator_parameters():
                parameter.requires_grad_(name == "discriminator_terms")
            torch.stack(list(getattr(method, name)(state).values())).sum().backward()
            optimizers[name].step()
            optimizers[name].zero_grad()

    run = CudaGraph(step, lambda: method.settled) if record else step
    for number in range(WARM_UP + 8):
        rate.fill_(1e-2 / (1 + number))
        run(on_gpu(batch(1, seed=number, progress=number / 20)))
    return torch.cat([parameter.detach().flatten() for parameter in method.parameters()])


@needs_gpu
@pytest.mark.parametrize(
    "choice",
    [*(f"attention={name}" for name in ATTENTIONS), "method=cyclegan", "method=fastcut"],
)
def test_a_recorded_step_trains_as_the_plain_one(choice: str):
    """In float64, where rounding has no time to grow; the pools of CycleGAN fill before anything is recorded."""
    plain, recorded = (trained(choice, record=record) for record in (False, True))
    assert plain.isfinite().all()
    torch.testing.assert_close(recorded, plain, rtol=1e-6, atol=1e-8)
