"""Waiting for data, against sleeps of known length."""

import time
from types import SimpleNamespace

import pytest
import torch
from torch.utils.data import Dataset

from src.data.loader import TimedLoader
from src.training.callbacks.data_wait import DataWait


class Slow(Dataset[int]):
    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> int:
        time.sleep(0.04)
        return index


def test_only_the_wait_is_counted():
    loader = TimedLoader(Slow(), batch_size=1, batch_bytes=12)
    started = time.monotonic()
    for _ in loader:
        time.sleep(0.08)
    whole = time.monotonic() - started
    assert 0.2 <= loader.waited <= whole - 0.4


def test_share_and_images_a_second_since_the_last_entry_are_logged():
    logged: list[tuple[str, float]] = []
    module = SimpleNamespace(batches=0, log=lambda name, value: logged.append((name, value)))
    trainer = SimpleNamespace(log_every_n_steps=2, world_size=3, train_dataloader=SimpleNamespace(waited=0.0))
    callback = DataWait()
    callback.on_train_start(trainer, module)
    for waited in (0.05, 0.05, 0.0, 0.0):
        time.sleep(0.1)
        trainer.train_dataloader.waited += waited
        module.batches += 1
        callback.on_train_batch_end(trainer, module, None, {"x": torch.zeros(2)}, 0)
    assert [name for name, _ in logged] == ["train/data_wait", "speed/images"] * 2
    waits, speeds = [value for _, value in logged[::2]], [value for _, value in logged[1::2]]
    assert 0 < waits[0] <= 0.5  # at most half of the time that the sleeps take at least
    assert waits[1] == pytest.approx(0.0)
    assert all(0 < speed <= 2 * 2 * 3 / 0.2 for speed in speeds)  # two batches of two images on three ranks
