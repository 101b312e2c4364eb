"""The patch sampler H: attention chooses places at every tap, small heads embed the features there (Sec. 3.4, 4.2)."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from src.networks import noise
from src.networks.attention.base import Attention, at_places
from src.networks.attention.none import NoAttention
from src.networks.initialise import initialise
from src.networks.inside import at_centres, inside
from src.networks.selection.base import Selection
from src.system.errors import UserError, did_you_mean

WIDEST_EMBEDDING = 16384


class PatchSampler(nn.Module):
    """One attention module and one two-layer MLP a tap; dropped at inference.

    The heads have 560,384 parameters for a generator of width 64. They are built here, from the channels of
    the taps: nothing waits for a first batch.

    Args:
        channels: channels of each tap, by name.
        attention: builds the attention module of a tap from its channels.
        taps: names of the taps it is used at; places are drawn at random at the others.
        selection: from scores to places.
        embedding: D, the width of both layers of a head.
        gain: gain of the heads' Xavier initialisation.
        attended: whether the heads embed what attention makes of the features, so that PatchNCE trains it; otherwise
            the features as they are (Eq. 1 as printed), and attention, which nothing trains then, only ranks.
    """

    def __init__(
        self,
        channels: Mapping[str, int],
        *,
        attention: Callable[[int], Attention],
        taps: Iterable[str],
        selection: Selection,
        embedding: int,
        gain: float,
        attended: bool = True,
    ) -> None:
        super().__init__()
        taps = list(taps)
        if unknown := sorted(set(taps) - set(channels)):
            near = did_you_mean(unknown[0], channels)
            raise ValueError(f"attention.taps: no tap is called {unknown[0]!r}; there are {', '.join(channels)}{near}")
        if not taps:
            raise ValueError(f"attention.taps is empty; name some of {', '.join(channels)}, or take attention=none")
        if not 1 <= embedding <= WIDEST_EMBEDDING:
            raise ValueError(f"sampler.embedding must lie in [1, {WIDEST_EMBEDDING}], got {embedding}")
        self.selection = selection
        self.attended = attended
        # drawn before the attention, so that the variants of one seed start with the same heads
        heads = nn.ModuleDict(
            {
                tap: nn.Sequential(nn.Linear(c, embedding), nn.ReLU(), nn.Linear(embedding, embedding))
                for tap, c in channels.items()
            }
        )
        initialise(heads, "xavier", gain)
        self.attention = nn.ModuleDict(
            {tap: attention(c) if tap in taps else NoAttention(c) for tap, c in channels.items()}
        ).requires_grad_(attended)
        self.heads = heads

    @torch.no_grad()
    def score(self, features: Mapping[str, Tensor], key_B: Tensor) -> dict[str, Tensor]:
        """Significance [B, P] of every place at every tap, for features [B, C, H, W] of the source image."""
        with _full_precision(key_B):
            # each tap draws from keys of its own, or taps of one size would share their places
            return {
                tap: self._attention(tap).score(_widen(x_BCHW), noise.fork(key_B, number))
                for number, (tap, x_BCHW) in enumerate(features.items())
            }

    @torch.no_grad()
    def choose(
        self,
        features: Mapping[str, Tensor],
        scores: Mapping[str, Tensor],
        key_B: Tensor,
        progress: float | Tensor,
        ignored_B1HW: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Places [B, N] at every tap, chosen on the source image's features, an image at a time; see `inside`.

        Args:
            features: [B, C, H, W] by tap.
            scores: [B, P] by tap, what `score` made of them.
            key_B: int64, one key a sample: all that a random choice depends on.
            progress: share of training done, in [0, 1].
            ignored_B1HW: pixels of the image, bool; places whose centre is one of them are chosen after all others.
        """
        places = {}
        for number, (tap, score_BP) in enumerate(scores.items()):
            grid = (features[tap].shape[2], features[tap].shape[3])
            stride = max(1, features["pixels"].shape[2] // grid[0])
            ranked = self.selection.ranked > 0 and not self.is_random(tap)
            inner = inside(tap, grid, stride, self.selection.patches, ranked=ranked)
            last_BP = None if ignored_B1HW is None else inner.take(at_centres(tap, grid, stride, ignored_B1HW))
            own_B = noise.fork(key_B, number)
            try:
                chosen_BN = self.selection(inner.take(score_BP), inner.size, own_B, progress, last_BP)
            except ValueError as error:
                raise UserError(f"{error} at tap {tap}: choose fewer patches or larger images") from error
            places[tap] = inner.places(chosen_BN)
        return places

    def forward(self, features: Mapping[str, Tensor], places: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Embedded patches [B, N, D] by tap, of unit L2 norm: features at `places`, attended or not, through the head.

        But for the 1e-7 added to the norm, as in the released CUT code; it counts at the start, with norms near 4e-7.
        """
        with _full_precision(next(iter(places.values()))):
            return {
                tap: _unit(self.heads[tap](self._compared(tap, _widen(features[tap]), places_BN)))
                for tap, places_BN in places.items()
            }

    def is_random(self, tap: str) -> bool:
        """Whether the places of a tap are a uniform draw, as it has no attention."""
        return isinstance(self.attention[tap], NoAttention)

    def _compared(self, tap: str, x_BCHW: Tensor, places_BN: Tensor) -> Tensor:
        return self._attention(tap).attend(x_BCHW, places_BN) if self.attended else at_places(x_BCHW, places_BN)

    def _attention(self, tap: str) -> Attention:
        module = self.attention[tap]
        assert isinstance(module, Attention)
        return module


def _full_precision(tensor: Tensor) -> torch.autocast:
    # softmaxes, entropies and cosines lose their order in bf16: convolutions alone run under autocast
    return torch.autocast(tensor.device.type, enabled=False)


def _unit(x_BND: Tensor) -> Tensor:
    # an embedding of rounding noise must not become a direction
    unit: Tensor = x_BND / (torch.linalg.vector_norm(x_BND, dim=-1, keepdim=True) + 1e-7)
    return unit


def _widen(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()
