"""Recording: on a CPU by a stand-in that does what a CUDA graph does to memory, on a GPU by itself."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from src.config.build import build_method
from src.methods.base import Batch
from src.methods.image_pool import ImagePool
from src.runs.folder import load_config
from src.system.errors import UserError
from src.training.callbacks.checkpoint import Interrupted
from src.training.cuda_graph import WARM_UP, CudaGraph, rates_on_device, recordable
from src.training.run import train
from src.training.translation import Translation
from tests.conftest import ATTENTIONS, TINY, batch, config, cut
from tests.frames import write_frames
from tests.test_train import StopAfter, assert_equal_runs, interrupted_then_resumed, tiny

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


class StandIn:
    """A recorder without a GPU: recording changes nothing but memory of its own, a replay overwrites what it returned.

    Args:
        memory: all tensors that a step writes in place.
    """

    def __init__(self, memory: Callable[[], Iterator[Tensor]]) -> None:
        self.memory = memory
        self.calls: list[str] = []

    def apart(self, call: Callable[[], Any]) -> Any:
        self.calls.append("apart")
        return call()

    def record(self, call: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
        self.calls.append("record")
        before = [(tensor, tensor.detach().clone()) for tensor in self.memory()]
        result = call()
        with torch.no_grad():
            for tensor, value in before:
                tensor.copy_(value)
        for tensor in tensors(result):
            tensor.detach().fill_(False if tensor.dtype == torch.bool else 77)  # a recording has no values

        def replay() -> None:
            self.calls.append("replay")
            for tensor, value in zip(tensors(result), tensors(call()), strict=True):
                tensor.detach().copy_(value.detach())

        return result, replay


def tensors(node: Any) -> Iterator[Tensor]:
    """Those of a result, in a fixed order."""
    if isinstance(node, Tensor):
        yield node
    elif dataclasses.is_dataclass(node):
        yield from tensors(vars(node))
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from tensors(value)
    elif isinstance(node, tuple | list):
        for value in node:
            yield from tensors(value)


def memory_of(module: Translation) -> Iterator[Tensor]:
    yield from module.method.parameters()
    yield from module.method.buffers()
    for optimizer in module._optimizers():
        for state in optimizer.state.values():
            yield from tensors(state)
    yield from (part.images for part in module.method.modules() if isinstance(part, ImagePool))


def step(memory: Tensor) -> Callable[[Batch], dict[str, Tensor]]:
    def run(images: Batch) -> dict[str, Tensor]:
        memory.add_(images.x.mean() * images.progress + images.key.sum())
        return {"term": memory * 2}

    return run


def recorded(memory: Tensor, settled: Callable[[], bool] = lambda: True) -> tuple[CudaGraph, StandIn]:
    graph, stand_in = CudaGraph(step(memory), settled), StandIn(lambda: iter([memory]))
    graph.recorder = stand_in
    return graph, stand_in


def test_every_call_is_one_step_whose_results_are_overwritten():
    found, expected = torch.zeros(()), torch.zeros(())
    graph, stand_in = recorded(found)
    plain, results = step(expected), []
    for number in range(WARM_UP + 3):
        images = batch(2, seed=number, progress=number / 10)
        results.append(graph(images)["term"])
        torch.testing.assert_close(results[-1], plain(images)["term"], rtol=1e-6, atol=0)
    assert stand_in.calls == ["apart"] * WARM_UP + ["record"] + ["replay"] * 3
    assert results[-1] is results[-2]
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


def test_a_recording_waits_until_every_later_step_is_like_it():
    pool = iter([False, False, True])
    graph, stand_in = recorded(torch.zeros(()), lambda: next(pool))
    for number in range(WARM_UP + 3):
        graph(batch(1, seed=number))
    assert stand_in.calls == ["apart"] * (WARM_UP + 2) + ["record", "replay"]


@pytest.mark.parametrize("shape", [(1, 32, 32), (2, 32, 48)])
def test_a_batch_of_another_shape_is_a_plain_step(shape: tuple[int, int, int]):
    found, expected = torch.zeros(()), torch.zeros(())
    graph, stand_in = recorded(found)
    plain = step(expected)
    for images in [*(batch(2, seed=number) for number in range(WARM_UP + 1)), batch(*shape, seed=9), batch(2, seed=10)]:
        graph(images)
        plain(images)
    assert stand_in.calls[-3:] == ["replay", "apart", "replay"]
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


def test_a_schedule_changes_the_rate_that_was_recorded():
    """A recording has read the rate at an address; it stays the same, over the checkpoint of a resumed run too."""
    player = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=0.5, capturable=True)
    schedule = LambdaLR(player, lambda epoch: 1 / (1 + epoch))
    player.step()
    rates_on_device([player], torch.device("cpu"))  # type: ignore[list-item]
    rate = player.param_groups[0]["lr"]
    schedule.step()
    assert player.param_groups[0]["lr"] is rate
    assert float(rate) == 0.25

    again = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=0.5, capturable=True)
    resumed = LambdaLR(again, lambda epoch: 1 / (1 + epoch))
    again.step()
    again.load_state_dict(player.state_dict())
    resumed.load_state_dict(schedule.state_dict())
    rates_on_device([again], torch.device("cpu"))  # type: ignore[list-item]
    assert float(again.param_groups[0]["lr"]) == 0.25
    resumed.step()
    assert float(again.param_groups[0]["lr"]) == pytest.approx(0.5 / 3)


# scored once: how frames are does not depend on what was recorded
@pytest.mark.parametrize(
    "choice",
    [
        "attention=triplet",
        "attention=external metrics.scores=null",
        "method=cyclegan method.pool=2 metrics.scores=null",
    ],
)
def test_a_recorded_training_and_its_resume_are_the_plain_one_to_the_bit(
    choice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """src.train as it is, with the stand-in for the GPU's recorder; stopped in the middle of both epochs."""
    cfg = tiny(write_frames(tmp_path / "frames"), *choice.split())
    train(cfg, folder(tmp_path / "plain"))
    made: list[StandIn] = []

    def begin(self: Translation) -> None:
        assert self.cuda_graph is not None
        self.cuda_graph.recorder = StandIn(lambda: memory_of(self))
        made.append(self.cuda_graph.recorder)

    monkeypatch.setattr(Translation, "check", lambda *arguments, **options: None)
    monkeypatch.setattr("src.training.run.recordable", lambda trainer: True)
    monkeypatch.setattr(Translation, "on_train_start", begin)
    cfg.module.cuda_graph = True
    train(cfg, folder(tmp_path / "recorded"))
    assert made[0].calls == ["apart"] * WARM_UP + ["record"] + ["replay"] * (12 - WARM_UP)
    interrupted_then_resumed(cfg, tmp_path / "resumed", [4, 9], monkeypatch)
    assert [one.calls.count("apart") for one in made[1:]] == [WARM_UP, WARM_UP, 2]
    for name in ("recorded", "resumed"):
        assert_equal_runs(tmp_path / "plain", tmp_path / name)


def test_a_recorded_run_goes_on_with_plain_steps_where_none_can_be_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """As resume=<run of trainer=gpu> trainer=cpu does: a recording changes nothing but speed."""
    # a rate that is the same number as a float32, which that of a recorded step is
    of_gpu = ["+optimizer.fused=true", "+optimizer.capturable=true", f"optimizer.lr={2**-11}"]
    cfg = tiny(write_frames(tmp_path / "frames"), "attention=none", "metrics.scores=null", *of_gpu)
    train(cfg, folder(tmp_path / "plain"))
    cfg.module.cuda_graph = True
    begun = folder(tmp_path / "begun")
    with monkeypatch.context() as patch:
        patch.setattr(Translation, "check", lambda *arguments, **options: None)
        patch.setattr("src.training.cuda_graph.OnDevice", lambda: StandIn(lambda: iter(())))
        patch.setattr("src.training.trainer.Progress", lambda: StopAfter(WARM_UP - 1))
        with pytest.raises(Interrupted):
            train(cfg, begun)
    saved = torch.load(begun / "last.ckpt", weights_only=True)["optimizer_states"]
    assert all(isinstance(group["lr"], Tensor) for one in saved for group in one["param_groups"])
    capsys.readouterr()
    train(load_config(begun), begun, resume=True)
    assert "module.cuda_graph: no steps are recorded here, which takes one NVIDIA GPU" in capsys.readouterr().err
    saved = torch.load(begun / "last.ckpt", weights_only=True)["optimizer_states"]
    assert all(isinstance(group["lr"], float) for one in saved for group in one["param_groups"])
    assert_equal_runs(tmp_path / "plain", begun)


@pytest.mark.parametrize(
    ("device", "ranks", "precision", "can"),
    [
        ("cuda", 1, "bf16-mixed", True),
        ("cuda", 2, "bf16-mixed", False),
        ("cuda", 1, "16-mixed", False),
        ("cpu", 1, "32-true", False),
    ],
)
def test_steps_are_recorded_on_one_gpu_without_loss_scaling(device: str, ranks: int, precision: str, can: bool):
    strategy = SimpleNamespace(root_device=torch.device(device))
    trainer = SimpleNamespace(strategy=strategy, world_size=ranks, precision=precision)
    assert recordable(trainer) == can  # type: ignore[arg-type]


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def on_gpu(images: Batch) -> Batch:
    return Batch(images.x.cuda().double(), images.y.cuda().double(), images.key.cuda(), images.progress)


def trained(choice: str, *, record: bool) -> Tensor:
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
