"""Two processes that train together: python -m tests.two_ranks jobs.json stdout_0 stdout_1, where each speaks.

A job is a folder, overrides, whether to resume what is there, and the batch after which rank 1 alone is interrupted.
"""

import json
import os
import signal
import sys
from pathlib import Path

from tests import forked_ranks

if __name__ == "__main__":
    opened = [os.open(path, os.O_WRONLY | os.O_CREAT) for path in sys.argv[2:]]
    forked_ranks.fork([{"LOCAL_RANK": str(rank)} for rank in range(2)], [(file, 2) for file in opened])

from lightning.pytorch.callbacks import Callback
from omegaconf import OmegaConf

from src.runs.folder import load_config
from src.training import trainer as lightning_trainer
from src.training.callbacks.checkpoint import Interrupted
from src.training.run import train
from tests.conftest import config

DDP = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu"]


class Interrupt(Callback):
    """Sends Ctrl-C's signal to this process in the middle of a step."""

    def __init__(self, batch: int) -> None:
        self.batch = batch

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_rank == 1 and pl_module.batches == self.batch:
            os.kill(os.getpid(), signal.SIGINT)


def run(folder: Path, overrides: list[str], resume: bool, stop: int | None) -> None:
    asked = config(*overrides, *DDP)
    progress = lightning_trainer.Progress
    if stop is not None:
        lightning_trainer.Progress = lambda: Interrupt(stop)
    try:
        if resume:
            asked = OmegaConf.merge(load_config(folder), {"trainer": asked.trainer})
        train(asked, folder, resume=resume)
    except Interrupted:
        assert stop is not None
    else:
        assert stop is None
    finally:
        lightning_trainer.Progress = progress


if __name__ == "__main__":
    for job in json.loads(Path(sys.argv[1]).read_text()):
        run(Path(job["folder"]), job["overrides"], job["resume"], job["stop"])
