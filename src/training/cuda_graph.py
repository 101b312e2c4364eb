"""A training step recorded once as a CUDA graph and replayed: thousands of kernel launches become one.

A recording holds kernels and addresses, nothing of Python. What a step must not do for that, and what holds it here:

- *Read a value back to the host.* Terms stay tensors, the log's entries alone look for NaN (`src.training.finite`), the
  average is told its step, and places and augmentations are computed on the device.
- *Draw from a generator.* Every draw of a step is a hash of the samples' keys (`src.networks.noise`), which are part of
  the batch.
- *Take a number that changes.* Progress is a tensor here, and so are the rates (`rates_on_device`), which schedules
  fill in place; the decay of the average changes too, and is applied outside.
- *Make memory that has to last.* Optimisers make their state, and cuDNN chooses its algorithms, in the first `WARM_UP`
  steps. Gradients are None between steps, so the recording makes its own in memory that belongs to it. History pools
  are full before (`Method.settled`).
- *Change its shapes.* The last, incomplete batch of an epoch is dropped; a batch of another shape is a plain step.
- *Use casts of weights that have changed.* Autocast keeps them to the end of a step; a frozen D casts anew.
- *Talk to other ranks, or scale the loss.* Both are refused (`Translation.check`), as are masks, which not every batch
  has.

A run that is resumed begins with plain steps and records anew, in the middle of an epoch too; on devices where nothing
can be recorded it goes on with plain ones.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Protocol

import torch
from lightning import Trainer
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor

from src.methods.base import Batch
from src.system.errors import UserError

WARM_UP = 3
"""Steps run as they are before one is recorded: libraries choose their kernels, optimisers make their state."""


class Recorder(Protocol):
    """How a step is kept apart and recorded; tests on a CPU have one of their own."""

    def apart(self, call: Callable[[], Any]) -> Any:
        """What `call` returns, called where a recording could be made."""

    def record(self, call: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
        """The tensors that `call` returns, without values yet, and what fills them by doing all of it again."""


class OnDevice:
    """Records what is launched on the present GPU."""

    def __init__(self) -> None:
        self._stream: torch.cuda.Stream | None = None

    def apart(self, call: Callable[[], Any]) -> Any:
        """On a stream of its own: gradients that were made on the default one cannot be recorded."""
        self._stream = self._stream or torch.cuda.Stream()
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            result = call()
        torch.cuda.current_stream().wait_stream(self._stream)
        return result

    def record(self, call: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
        """As the protocol says; other threads, such as the one that pins memory, go on calling CUDA meanwhile."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            result = call()
        return result, graph.replay


class CudaGraph:
    """Calls `step` as it is at first, then replays it; every call is one step of training, with the same result.

    Small networks spend most of a step launching kernels; a replay launches them all at once. What `step` returns
    after the recording are the same tensors each time, overwritten by the next call.

    Args:
        step: from a batch to tensors; see above for what it must not do.
        settled: whether the next step does what all later ones will do.
    """

    def __init__(self, step: Callable[[Batch], Any], settled: Callable[[], bool]) -> None:
        self.step = step
        self.settled = settled
        self.recorder: Recorder = OnDevice()
        self._calls = 0
        self._replay: Callable[[], None] | None = None
        self._batch: Batch | None = None
        self._result: Any = None

    def __call__(self, batch: Batch) -> Any:
        """One step."""
        if self._replay is None and self._calls >= WARM_UP and self.settled():
            progress = torch.tensor(float(batch.progress), device=batch.x.device)
            own = self._batch = replace(batch, **{k: v.clone() for k, v in _images(batch).items()}, progress=progress)
            self._result, self._replay = self.recorder.record(lambda: self.step(own))
        if self._replay is None or not self._has_room(batch):
            self._calls += 1
            return self.recorder.apart(lambda: self.step(batch))
        self._fill(batch)
        self._replay()
        return self._result

    def _has_room(self, batch: Batch) -> bool:
        assert self._batch is not None
        shapes = ({name: tensor.shape for name, tensor in _images(one).items()} for one in (batch, self._batch))
        return next(shapes) == next(shapes)

    def _fill(self, batch: Batch) -> None:
        assert self._batch is not None
        for name, tensor in _images(self._batch).items():
            tensor.copy_(_images(batch)[name])
        assert isinstance(self._batch.progress, Tensor)
        self._batch.progress.fill_(batch.progress)


def _images(batch: Batch) -> dict[str, Tensor]:
    return {"x": batch.x, "y": batch.y, "key": batch.key}


def rates_on_device(optimizers: Iterable[LightningOptimizer], where: torch.device) -> None:
    """Let the rates be read from the device, where a recorded step can see them change."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            if not group.get("capturable", False):
                raise UserError("module.cuda_graph needs an optimiser that can be recorded: +optimizer.capturable=true")
            group["lr"] = torch.tensor(float(group["lr"]), device=where)


def rates_as_numbers(optimizers: Iterable[LightningOptimizer]) -> None:
    """For plain steps, which may go on from a checkpoint that keeps the rates of recorded ones."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = float(group["lr"])


def recordable(trainer: Trainer) -> bool:
    """Whether steps can be recorded: on one NVIDIA GPU, where losses are not scaled."""
    cuda = trainer.strategy.root_device.type == "cuda"
    return cuda and trainer.world_size == 1 and trainer.precision != "16-mixed"
