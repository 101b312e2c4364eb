"""The share of places that were ever chosen, against a count by hand."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning import LightningModule

from src.methods.base import ScoreMap
from src.training.callbacks.reach import Reach
from src.training.translation import Translation


class Frames:
    """Two frames of 4 x 4 places."""

    x_files = ("a", "b")

    def frames(self, files: object) -> list[torch.Tensor]:
        return [torch.zeros(3, 4, 4), torch.ones(3, 4, 4)]

    masks = SimpleNamespace(source=lambda path, frame: None)


class Moving:
    """Chooses two places, one further each time it is asked about a frame; on the second frame always the same."""

    def __init__(self) -> None:
        self.asked = 0
        self.keys: list[int] = []

    def score_maps(
        self, x: torch.Tensor, key: torch.Tensor, progress: float, ignored: torch.Tensor | None
    ) -> dict[str, ScoreMap]:
        self.keys.append(int(key))
        start = self.asked if float(x.mean()) == 0 else 0
        self.asked += float(x.mean()) == 0
        return {"tap": ScoreMap(torch.zeros(1, 16), torch.tensor([[start, start + 1]]), (4, 4))}


def module(method: object, logged: list[dict[str, float]]) -> Any:
    fake = Translation.__new__(Translation)
    LightningModule.__init__(fake)
    fake.method = method  # type: ignore[assignment]
    fake.average = SimpleNamespace(network=torch.nn.Linear(1, 1))  # type: ignore[assignment]
    fake.log_dict = lambda values, **_: logged.append({k: float(v) for k, v in values.items()})  # type: ignore[assignment]
    return fake


def after(reach: Reach, method: object, epochs: range) -> list[float]:
    logged: list[dict[str, float]] = []
    for epoch in epochs:
        trainer: Any = SimpleNamespace(is_global_zero=True, current_epoch=epoch, max_epochs=9)
        reach.on_train_epoch_end(trainer, module(method, logged))
    return [values["places/tap_reached"] for values in logged]


def reach() -> Reach:
    made = Reach(Frames(), seed=0)  # type: ignore[arg-type]
    made.setup(None, None, "fit")  # type: ignore[arg-type]
    return made


def test_places_are_counted_once_each():
    # the first frame has 2, 3, 4 of 16 after each epoch, the second 2
    assert after(reach(), Moving(), range(3)) == pytest.approx([2 / 16, 2.5 / 16, 3 / 16])


def test_a_resumed_run_goes_on_counting():
    first, method = reach(), Moving()
    after(first, method, range(2))
    second = reach()
    second.load_state_dict(first.state_dict())
    assert after(second, method, range(2, 3)) == pytest.approx([3 / 16])


def test_each_epoch_and_frame_has_draws_of_its_own():
    method = Moving()
    after(reach(), method, range(3))
    assert len(set(method.keys)) == 6


def test_a_method_without_patches_logs_nothing():
    nothing = SimpleNamespace(score_maps=lambda *_: {})
    logged: list[dict[str, float]] = []
    trainer: Any = SimpleNamespace(is_global_zero=True, current_epoch=0, max_epochs=1)
    reach().on_train_epoch_end(trainer, module(nothing, logged))
    assert logged in ([], [{}])
