"""How large the gradients are that a step is made of: a norm for each part of a method."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from src.methods.parts import trained_by_part

GENERATORS, DISCRIMINATORS = ("G", "heads", "attention"), ("D",)
"""Parts that either optimiser steps."""


class GradientNorms:
    """Euclidean norms by part, scalars that stay where the gradients lie: reading them is left to the log.

    They are wanted at its entries alone. Two kinds of steps measure each time: of a window, which may end elsewhere;
    and a recorded one, whose gradients are gone once it has been replayed. Where the loss is scaled none are taken, as
    gradients are scaled too, and reading the scale would wait for the device.

    Args:
        method: whose parts they are.

    Attributes:
        wanted: whether the next step takes them.
    """

    def __init__(self, method: object) -> None:
        assert isinstance(method, nn.Module)
        self._parts = trained_by_part(method)
        self._taken: dict[str, Tensor] = {}
        self.wanted = False

    def begin(self) -> dict[str, Tensor]:
        """The norms of a step that begins, empty until they are taken."""
        self._taken = {}
        return self._taken

    @torch.no_grad()
    def take(self, names: Iterable[str]) -> None:
        """Measure these parts if that is wanted, before the optimiser steps them; those without gradients are left out.

        Args:
            names: of parts.
        """
        if self.wanted:
            found = {name: [one.grad for one in self._parts.get(name, ()) if one.grad is not None] for name in names}
            self._taken |= {name: get_total_norm(gradients) for name, gradients in found.items() if gradients}
