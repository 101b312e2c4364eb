"""Scores against minutes: what counts, what stands once, what a resume goes on with."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from src.runs.results import load_curve
from src.training.callbacks import curve
from src.training.callbacks.curve import Curve


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(curve.time, "process_time", found)
    return found


def trainer(ranks: int = 1, first: bool = True) -> SimpleNamespace:
    return SimpleNamespace(world_size=ranks, is_global_zero=first)


MODULE = SimpleNamespace(device=torch.device("cpu"))


def epoch(found: Curve, clock: Clock, of: SimpleNamespace, steps: list[float]) -> None:
    found.on_train_epoch_start(of, MODULE)
    for seconds in steps:
        clock.now += seconds
        found.on_train_batch_end(of, MODULE, None, None, 0)


def test_steps_count_and_what_lies_between_epochs_does_not(tmp_path: Path, clock: Clock):
    found, of = Curve(tmp_path), trainer()
    found.on_train_start(of, MODULE)
    epoch(found, clock, of, [30.0, 60.0])
    found.add(of, 1, {"kid": 0.5})
    clock.now += 1000.0  # pictures and scores
    epoch(found, clock, of, [30.0])
    found.add(of, 2, {"kid": 0.25})
    assert load_curve(tmp_path) == [
        {"epoch": 1.0, "minutes": 1.5, "kid": 0.5},
        {"epoch": 2.0, "minutes": 2.0, "kid": 0.25},
    ]


def test_the_last_epoch_stands_once(tmp_path: Path, clock: Clock):
    found = Curve(tmp_path)
    found.add(trainer(), 1, {"kid": 0.5})
    found.add(trainer(), 1, {"kid": 0.5, "fid": 3.0})
    assert load_curve(tmp_path) == [{"epoch": 1.0, "minutes": 0.0, "kid": 0.5, "fid": 3.0}]


def test_a_resumed_run_goes_on_with_minutes_and_points(tmp_path: Path, clock: Clock):
    first, of = Curve(tmp_path), trainer()
    first.on_train_start(of, MODULE)
    epoch(first, clock, of, [60.0])
    first.add(of, 1, {"kid": 0.5})
    torch.save(first.state_dict(), tmp_path / "state.pt")
    second = Curve(tmp_path)
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    clock.now += 500.0
    second.on_train_start(of, MODULE)
    clock.now += 60.0
    second.on_train_batch_end(of, MODULE, None, None, 0)  # in mid-epoch, which does not start again
    second.add(of, 2, {"kid": 0.4})
    assert [(point["epoch"], point["minutes"]) for point in load_curve(tmp_path)] == [(1.0, 1.0), (2.0, 2.0)]


def test_ranks_count_and_the_first_alone_writes(tmp_path: Path, clock: Clock):
    found, of = Curve(tmp_path), trainer(ranks=3, first=False)
    found.on_train_start(of, MODULE)
    epoch(found, clock, of, [20.0])
    found.add(of, 1, {"kid": 0.5})
    assert load_curve(tmp_path) == []
    found.add(trainer(ranks=3), 1, {"kid": 0.5})
    assert load_curve(tmp_path)[0]["minutes"] == 1.0
