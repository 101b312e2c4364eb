"""The loader, when a process that reads images dies."""

import os
import signal
import time
from multiprocessing import resource_sharer
from threading import Timer

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset

from src.data.loader import TimedLoader


class Dying(Dataset[Tensor]):
    """The second image is the last: the process's connections end before it does, as when the system kills it."""

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> Tensor:
        if index == 1:
            Timer(0.3, _refuse).start()
            Timer(2, os.kill, (os.getpid(), signal.SIGKILL)).start()
        if index > 1:
            time.sleep(60)
        return torch.zeros(3)


def _refuse() -> None:
    # whoever asks for what was shared finds the connection ended
    resource_sharer._resource_sharer._cache.clear()  # type: ignore[attr-defined]


def test_an_ended_connection_is_told_as_the_death_that_ended_it():
    batches = iter(TimedLoader(Dying(), batch_size=1, num_workers=1))
    next(batches)
    time.sleep(1)
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid \d+\) is killed") as caught:
        next(batches)
    assert isinstance(caught.value.__context__, EOFError)  # what a plain DataLoader raises
