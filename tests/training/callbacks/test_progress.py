"""How long a training will take is said once, where no bar says it."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from src.training.callbacks import progress


def trained(monkeypatch: pytest.MonkeyPatch, seconds: list[float], total: int, *, terminal: bool = False) -> None:
    """Batches that take so long, of so many in all, of which the first rank's bar counts all of these."""
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: terminal, raising=False)
    trainer: Any = SimpleNamespace(
        is_global_zero=True, num_training_batches=total, max_epochs=1, log_every_n_steps=10, callback_metrics={},
        current_epoch=0, world_size=1,
    )  # fmt: skip
    module: Any = SimpleNamespace(batches=0)
    bar = progress.Progress()
    bar.on_train_start(trainer, module)
    for took in seconds:
        clock[0] += took
        module.batches += 1
        bar.on_train_batch_end(trainer, module, None, {"x": torch.zeros(1)}, 0)
    bar.on_train_end(trainer, module)


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().err.replace("\r", "\n").split("\n") if " a batch; " in line]


def test_the_first_batches_do_not_count(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    trained(monkeypatch, [60.0] * 5 + [0.5] * 40, total=815)
    assert said(capsys) == ["training: 0.5 s a batch; about 7 minutes for the 800 that are left, then the scores"]


def test_slow_batches_are_not_waited_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    trained(monkeypatch, [40.0] * 6, total=366)
    assert said(capsys) == ["training: 40 s a batch; about 4.0 hours for the 360 that are left, then the scores"]


@pytest.mark.parametrize(("batches", "terminal"), [(14, False), (40, True)], ids=["too few", "a terminal has the bar"])
def test_nothing_is_said(
    batches: int, terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    trained(monkeypatch, [0.5] * batches, total=100, terminal=terminal)
    assert said(capsys) == []
