"""A training step recorded once as a CUDA graph and replayed: thousands of kernel launches become one."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer

from src.methods.base import Batch
from src.system.errors import UserError

WARM_UP = 3
"""Steps run as they are before one is recorded: libraries choose their kernels, optimisers make their state."""


class CudaGraph:
    """Calls `step` as it is at first, then replays it; every call is one step of training, with the same result.

    Small networks spend most of a step launching kernels; a replay launches them all at once. What `step` returns
    after the recording are the same tensors each time, overwritten by the next call. Batches keep their shape.

    Args:
        step: from a batch to tensors; reads nothing back from the device, and depends on nothing else that changes
            but tensors written in place.
        settled: whether the next step does what all later ones will do.
    """

    def __init__(self, step: Callable[[Batch], Any], settled: Callable[[], bool]) -> None:
        self.step = step
        self.settled = settled
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._batch: Batch | None = None
        self._result: Any = None

    def __call__(self, batch: Batch) -> Any:
        """One step."""
        if self._graph is None and (self._calls < WARM_UP or not self.settled()):
            self._calls += 1
            return self._aside(batch)
        if self._graph is None:
            self._record(batch)
        assert self._graph is not None
        assert self._batch is not None
        self._batch.x.copy_(batch.x)
        self._batch.y.copy_(batch.y)
        self._batch.key.copy_(batch.key)
        assert isinstance(self._batch.progress, torch.Tensor)
        self._batch.progress.fill_(batch.progress)
        self._graph.replay()
        return self._result

    def _aside(self, batch: Batch) -> Any:
        # gradients must be made on a stream other than the default one, which cannot be recorded
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            result = self.step(batch)
        torch.cuda.current_stream().wait_stream(stream)
        return result

    def _record(self, batch: Batch) -> None:
        progress = torch.tensor(float(batch.progress), device=batch.x.device)
        self._batch = replace(batch, x=batch.x.clone(), y=batch.y.clone(), key=batch.key.clone(), progress=progress)
        self._graph = torch.cuda.CUDAGraph()
        # other threads (the one that pins memory for the loader) go on calling CUDA meanwhile
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._result = self.step(self._batch)


def rates_on_device(optimizers: Iterable[LightningOptimizer], where: torch.device) -> None:
    """Let the rates be read from the device, where a recorded step can see them change."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            if not group.get("capturable", False):
                raise UserError("module.cuda_graph needs an optimiser that can be recorded: +optimizer.capturable=true")
            group["lr"] = torch.tensor(float(group["lr"]), device=where)
