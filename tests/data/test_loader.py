"""The loader, when a process that reads images dies, and where there is little shared memory."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from multiprocessing import resource_sharer
from pathlib import Path
from threading import Timer

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset

from src.data.loader import TimedLoader, lack_of_shared_memory
from src.system.errors import UserError
from tests.conftest import CONF, TINY, UNDRAWN
from tests.frames import write_frames

Usage = namedtuple("Usage", "total used free")


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
    batches = iter(TimedLoader(Dying(), batch_size=1, num_workers=1, batch_bytes=12))
    next(batches)
    time.sleep(1)
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid \d+\) is killed") as caught:
        next(batches)
    assert isinstance(caught.value.__context__, EOFError)  # what a plain DataLoader raises


class Failing(Dataset[Tensor]):
    """Fails as PyTorch does where a batch finds no room, in words that no version of it uses."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Tensor:
        raise OSError(28, "words of tomorrow")


@pytest.mark.parametrize(("free", "told"), [(2_999, True), (3_000, False)])
def test_too_little_shared_memory_is_told_by_what_is_free_and_by_no_words(
    free: int, told: bool, monkeypatch: pytest.MonkeyPatch
):
    batches = iter(TimedLoader(Failing(), batch_size=1, num_workers=1, batch_bytes=1_000))
    monkeypatch.setattr("src.data.loader.shutil.disk_usage", lambda path: Usage(free, 0, free))
    with pytest.raises(UserError if told else OSError, match="shared memory, .* 3 kB" if told else "words of tomorrow"):
        next(batches)


def test_the_training_process_itself_needs_no_shared_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("src.data.loader.shutil.disk_usage", lambda path: Usage(0, 0, 0))
    assert lack_of_shared_memory(10**9, 0) == ""
    assert "--shm-size=2g" in lack_of_shared_memory(2**30 + 1, 1)
    monkeypatch.setattr("src.data.loader.SHARED", Path("nowhere"))  # as on macOS
    assert lack_of_shared_memory(10**9, 1) == ""


def namespaces() -> bool:
    """Whether this user may mount."""
    command = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/dev/shm"]
    return shutil.which("unshare") is not None and subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.skipif("not namespaces()")
# 64 x 112 pixels of two domains take 172 kB: no batch has room, or one but not three
@pytest.mark.parametrize(("kilobytes", "needed", "begun"), [(64, 172, False), (260, 516, True)])
def test_a_training_with_little_shared_memory_says_so_in_one_line(
    kilobytes: int, needed: int, begun: bool, tmp_path: Path
):
    root = write_frames(tmp_path / "frames")
    settings = [
        *TINY,
        UNDRAWN,
        "data=folders",
        f"data.root={root}",
        "data.size=64",
        "data.load=64",
        "data.aspect=1.75",
        "data.num_workers=1",
    ]
    settings += ["data.samples_per_epoch=6", "trainer=cpu", "trainer.max_epochs=1", f"hydra.run.dir={tmp_path}/run"]
    mount = f"mount -t tmpfs -o size={kilobytes}k tmpfs /dev/shm && exec"
    command = " ".join([mount, sys.executable, "-m", "src.train", *settings])
    done = subprocess.run(["unshare", "-m", "sh", "-c", command], cwd=CONF.parent, capture_output=True, text=True)
    assert done.returncode == 1
    lines = [line for line in re.split(r"[\r\n]+", done.stderr) if line.strip() and "%|" not in line]
    (line,) = [line for line in lines if "log_every_n_steps" not in line]
    assert re.match(r"data\.num_workers=1: too little shared memory, /dev/shm has \d+ kB free ", line)
    assert f"batches take {needed} kB; enlarge it (docker run --shm-size=1g) or give data.num_workers=0" in line
    assert (tmp_path / "run/config.yaml").exists() == begun
