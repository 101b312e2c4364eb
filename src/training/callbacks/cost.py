"""What training cost: seconds a step and peak memory."""

import resource
import sys
import time
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Cost(Callback):
    """Measures this start of a run, in the process of the first rank.

    A step's time is wall time from batch to batch within epochs: reading data counts, pictures and scores after an
    epoch do not. Memory is the peak of training: what tensors took on a GPU, or else what the process held resident,
    without the processes that read images.
    """

    def __init__(self) -> None:
        self._steps, self._seconds, self._mark = 0, 0.0, 0.0
        self._earlier_peak = 0
        self._memory: dict[str, float] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the peaks of earlier jobs in this process, and start the clock: a resumed epoch does not start."""
        self._mark = time.perf_counter()
        if pl_module.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(pl_module.device)
        elif not _reset_peak():
            self._earlier_peak = _peak_bytes()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._mark = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the step."""
        if trainer.is_last_batch and pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)  # once an epoch: what is queued belongs to it
        now = time.perf_counter()
        self._steps += 1
        self._seconds += now - self._mark
        self._mark = now

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read the peaks, before the run is scored."""
        if pl_module.device.type == "cuda":
            self._memory = {"peak_cuda_bytes": torch.cuda.max_memory_allocated(pl_module.device)}
        elif (peak := _peak_bytes()) > self._earlier_peak:
            self._memory = {"peak_process_bytes": peak}

    def measured(self) -> dict[str, float]:
        """`seconds_per_step` and `peak_cuda_bytes` or `peak_process_bytes`; what could not be measured is left out."""
        steps = {"seconds_per_step": round(self._seconds / self._steps, 4)} if self._steps else {}
        return {**steps, **self._memory}


def _reset_peak() -> bool:
    try:
        _CLEAR.write_text("5")  # Linux, proc(5): the peak of resident memory starts anew
    except OSError:
        return False
    return True


def _peak_bytes() -> int:
    # getrusage remembers what the process was forked from, and no reset reaches that
    if _STATUS.is_file():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
