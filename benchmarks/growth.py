"""How a training step grows: arithmetic and memory against resolution, patches, taps and attention.

    python benchmarks/growth.py

Nothing is computed: the step of `benchmarks/step.py` runs once on tensors that have shapes but no values, every
operation is counted, and so is every byte of every tensor from its making to its end. The figures are therefore the
same on every machine. Memory is the peak of weights, gradients, Adam's state and all that autograd keeps (fp32, batch
1, width 64); the workspaces of a convolution library and the process itself come on top.
"""

import argparse
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.weak import WeakIdKeyDictionary

sys.path.insert(0, str(Path(__file__).resolve().parent))

import step as bench

DEFAULTS = {"attention": "none", "size": 256, "patches": 256, "taps": "all"}
TAPS = {
    "all": ["pixels", "down1", "down2", "block1", "block5"],
    "down2 and blocks": ["down2", "block1", "block5"],
    "blocks": ["block1", "block5"],
}
QUESTIONS = {
    "resolution": [{"size": size} for size in (128, 256, 512, 1024)],
    "patches": [{"patches": patches} for patches in (64, 256, 1024, 4096)],
    "attention at 256": [{"attention": name} for name in bench.ATTENTIONS],
    "attention at 512": [{"attention": name, "size": 512} for name in bench.ATTENTIONS],
    "attention at 1024": [{"attention": name, "size": 1024} for name in bench.ATTENTIONS],
    "taps of self": [{"attention": "self", "taps": taps} for taps in TAPS],
}


class Live(TorchDispatchMode):
    """Bytes of all storages alive, and their peak."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known = WeakIdKeyDictionary()

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation and count what it made."""
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                self._add(tensor.untyped_storage())
        return out

    def _add(self, storage: torch.UntypedStorage) -> None:
        if storage in self._known:
            return
        size = storage.nbytes()
        self._known[storage] = size
        weakref.finalize(storage, self._free, size)
        self.now += size
        self.peak = max(self.peak, self.now)

    def _free(self, size: int) -> None:
        self.now -= size


def measure(attention: str, size: int, patches: int, taps: str) -> tuple[float, float]:
    """TFLOP of one step, and its peak memory in GB."""
    options = argparse.Namespace(
        device="cpu", size=size, width=64, batch=1, patches=patches, fast=False, experiment="paper"
    )
    options.overrides = [f"attention.taps=[{','.join(TAPS[taps])}]"] if taps != "all" else []
    with FakeTensorMode(), Live() as live:
        step, batch = bench.ours(attention, options), bench.images(options)
        step(batch)  # makes Adam's state
        live.peak = live.now
        with FlopCounterMode(display=False) as counter:
            step(batch)
    return counter.get_total_flops() / 1e12, live.peak / 1e9


def main() -> None:
    """Print a table a question."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    bench.register()
    for question, rows in QUESTIONS.items():
        print(f"\n{question} | TFLOP a step | peak GB")
        for row in rows:
            operations, gigabytes = measure(**{**DEFAULTS, **row})
            print(f"{' '.join(map(str, row.values()))} | {operations:.3g} | {gigabytes:.3g}", flush=True)


if __name__ == "__main__":
    main()
