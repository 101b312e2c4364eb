"""What a method offers to the one training module that drives them all."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from torch import Tensor, nn

from src.networks.colour import Colours


@dataclass(frozen=True)
class Batch:
    """Unpaired images and all the randomness a step may use.

    Attributes:
        x: source images [B, 3, H, W] in [-1, 1].
        y: target images, the same shape and range; x[b] and y[b] have nothing to do with each other.
        key: int64 [B], one key a sample, a function of (seed, epoch, sample index).
        progress: share of training done, in [0, 1]; a scalar tensor where a step is recorded.
        ignored_x: bool [B, 1, H, W], pixels of x that are neither places nor seen by D; None without masks.
        ignored_y: likewise of y.
    """

    x: Tensor
    y: Tensor
    key: Tensor
    progress: float | Tensor
    ignored_x: Tensor | None = None
    ignored_y: Tensor | None = None


class ScoreMap(NamedTuple):
    """What a tap's attention makes of an image: significance [B, P], chosen places [B, N], and (H, W) of the map.

    `random` tells a tap without attention, as all of CUT's are: its significance is noise.
    """

    score: Tensor
    places: Tensor
    grid: tuple[int, int]
    random: bool = False


Places = dict[str, tuple[Tensor, tuple[int, int]]]
"""Chosen places [B, N] and (H, W) of the map, by tap."""
S = TypeVar("S")


class Method(Protocol[S]):
    """A translator with its losses; `S` is what one forward pass leaves for the terms of both players.

    Attributes:
        generators_first: whether the generators step before the discriminators, on the same forward pass.
    """

    generators_first: bool

    @property
    def settled(self) -> bool:
        """Whether every later step does the same operations as the next one."""

    def translator(self) -> nn.Module:
        """G, the network x -> y that is kept, averaged and evaluated; the setting `generator` builds it."""

    def forward_pass(self, batch: Batch) -> S:
        """Run the generators once; both players read the result."""

    def chosen(self, state: S) -> Places:
        """The places at which a forward pass compares patches; empty for a method that compares none."""

    def generator_terms(self, state: S) -> dict[str, Tensor]:
        """The generators' objective as weighted terms, in the equation's order; their sum is minimised."""

    def discriminator_terms(self, state: S) -> dict[str, Tensor]:
        """The discriminators' objective, likewise; no gradient reaches a generator."""

    def score_maps(self, x: Tensor, key: Tensor, progress: float, ignored: Tensor | None = None) -> dict[str, ScoreMap]:
        """By tap, for source images and their masks; empty for a method that samples no patches. No graph."""

    def fit_colours(self, x: Colours, y: Colours) -> None:
        """Tell the translators the colours of both training sets, for those that align them; else nothing happens."""

    def generator_parameters(self) -> Iterable[nn.Parameter]:
        """What the generators' optimiser updates."""

    def discriminator_parameters(self) -> Iterable[nn.Parameter]:
        """What the discriminators' optimiser updates; frozen while the generators' terms are differentiated."""
