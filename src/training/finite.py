"""NaN and infinity end a training: found in the terms as they come, and in whatever a checkpoint would keep."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from src.system.errors import UserError

NEVER = torch.iinfo(torch.int64).max


class FiniteTerms:
    """Notes on the device in which batch a term was first NaN or infinite; `demand` alone reads it back."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._first_T: Tensor | None = None

    def note(self, terms: Mapping[str, Tensor], batch: int) -> None:
        """Take in the terms of a batch, scalars on one device; the same ones every time.

        Args:
            terms: by name.
            batch: counted from 1.
        """
        broken_T = torch.where(torch.stack(list(terms.values())).isfinite(), NEVER, batch)
        self._names = tuple(terms)
        self._first_T = broken_T if self._first_T is None else torch.minimum(self._first_T, broken_T)

    def watch(self, terms: Mapping[str, Tensor], batch: int, interval: int) -> None:
        """Note the terms of a batch, and demand them finite: on a CPU always, elsewhere every `interval` batches.

        Reading makes a GPU wait for what is queued; at an entry of the log it does so anyway.
        """
        self.note(terms, batch)
        assert self._first_T is not None
        if self._first_T.device.type == "cpu" or batch % interval == 0:
            self.demand()

    def demand(self) -> None:
        """Raise UserError, naming batch and terms, if any was not finite; waits for the device."""
        if self._first_T is None:
            return
        first = self._first_T.tolist()
        batch = min(first)
        if batch == NEVER:
            return
        names = [name for name, when in zip(self._names, first, strict=True) if when == batch]
        several = f"terms {', '.join(names)} are" if len(names) > 1 else f"term {names[0]} is"
        raise UserError(
            f"batch {batch}: the {several} NaN or infinite, so training ends; "
            "start a new run with a lower optimizer.lr or a wider trainer.precision"
        )


def demand_finite(checkpoint: Mapping[str, Any], batch: int) -> None:
    """Raise UserError, naming one, if weights or optimiser moments of a checkpoint are not finite.

    A finite loss may have an infinite gradient, so finite terms alone do not make a checkpoint good.

    Args:
        checkpoint: as Lightning writes it.
        batch: after which it is written.
    """
    found = {**_floats(checkpoint["state_dict"], ""), **_floats(checkpoint["optimizer_states"], "optimizer ")}
    if not found:
        return
    where = {tensor.device for tensor in found.values()}
    # one answer a device, so that each is waited for once
    finite = {
        device: torch.stack([t.isfinite().all() for t in found.values() if t.device == device]).all()
        for device in where
    }
    if all(bool(answer) for answer in finite.values()):
        return
    name = next(name for name, tensor in found.items() if not bool(tensor.isfinite().all()))
    raise UserError(
        f"batch {batch}: {name} holds NaN or infinite values, so no checkpoint is written and training ends; "
        "start a new run with a lower optimizer.lr or a wider trainer.precision"
    )


def _floats(node: Any, name: str) -> dict[str, Tensor]:
    return dict(_walk(node, name))


def _walk(node: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(node, Tensor):
        if node.is_floating_point() and node.numel():
            yield name.rstrip("."), node.detach()
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from _walk(value, f"{name}{key}.")
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from _walk(value, f"{name}{index}.")
