"""Seconds a step and peak memory, measured on a trainer that does next to nothing."""

import time
from pathlib import Path

import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch.utils.data import DataLoader

from src.training.callbacks import cost
from src.training.callbacks.cost import Cost

STEP, BETWEEN = 0.02, 1.0


class Sleeper(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        time.sleep(STEP)
        if batch_idx == 1:
            torch.ones(25_000_000)  # 100 MB, given back at once

    def configure_optimizers(self):
        return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])


class Dawdle(Callback):
    def on_train_epoch_end(self, trainer, pl_module):
        time.sleep(BETWEEN)


class Keep(Callback):
    """Writes a checkpoint in the middle of an epoch."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if (trainer.current_epoch, batch_idx) == (0, 2):
            trainer.save_checkpoint(self.path)


def trained(measured: Cost, tmp_path, *others: Callback, start: Path | None = None) -> dict[str, object]:
    trainer = Trainer(
        max_epochs=2,
        accelerator="cpu",
        callbacks=[measured, *others],
        default_root_dir=tmp_path,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Sleeper(), DataLoader(range(5), batch_size=1), ckpt_path=start, weights_only=True)
    return measured.measured()


def test_a_step_takes_what_it_sleeps_and_pictures_between_epochs_do_not_count(tmp_path):
    found = trained(Cost(), tmp_path, Dawdle())
    assert STEP <= found["seconds_per_step"] < STEP + BETWEEN / 5  # a fifth of a pause: a busy machine, yet no pause


def test_a_step_takes_as_long_in_a_run_that_goes_on_in_mid_epoch(tmp_path, monkeypatch: pytest.MonkeyPatch):
    checkpoint = tmp_path / "middle.ckpt"
    trained(Cost(), tmp_path, Keep(checkpoint))
    now = time.perf_counter
    monkeypatch.setattr(time, "perf_counter", lambda: now() + 1e6)  # a machine that has been up for days
    resumed = Cost()
    found = trained(resumed, tmp_path, Dawdle(), start=checkpoint)
    assert resumed._steps == 7
    assert STEP <= found["seconds_per_step"] < STEP + BETWEEN / 5


def test_peak_memory_is_this_runs_own(tmp_path):
    now = cost._peak_bytes
    block = torch.ones(100_000_000)  # 400 MB before the run
    before = now()
    del block
    peak = trained(Cost(), tmp_path)["peak_process_bytes"]
    assert peak < before - 200e6
    assert peak > 100e6


def test_a_peak_that_an_earlier_run_may_have_set_is_left_out(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cost, "_CLEAR", tmp_path / "no" / "such" / "file")
    block = torch.ones(100_000_000)
    del block
    assert "peak_process_bytes" not in trained(Cost(), tmp_path)


def test_nothing_is_claimed_of_a_run_that_made_no_step():
    assert Cost().measured() == {}
