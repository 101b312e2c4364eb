"""Contrastive unpaired translation (Park et al. 2020) with the paper's attention-sampled patches; Eq. 1 and 3.

Shapes: B images, N patches, D embedding channels. Features of x and y travel as one batch of 2 B.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from src.losses.adversarial import discriminator_loss_fake, discriminator_loss_real, generator_loss
from src.losses.hard_negatives import hard_negatives
from src.losses.patch_nce import patch_nce
from src.methods.base import Batch, Places, ScoreMap
from src.methods.ignored import either, greyed, stacked
from src.networks import noise
from src.networks.colour import Colours
from src.networks.discriminator import Discriminator
from src.networks.generator import Generator
from src.networks.patch_sampler import PatchSampler

_Y_STREAM = 0x79  # the identity term's places are drawn apart from the translation's
_MIRROR_STREAM = 0x6D
_FAKE_STREAM, _REAL_STREAM, _JUDGED_STREAM = 0x66, 0x72, 0x67  # what D sees, in its own step and in G's


@dataclass(frozen=True)
class CUTState:
    """What one generation pass leaves: images, the source features (detached) and the places chosen on them.

    `outputs`, `features`, `places` and `mirrored` hold x first, then y where the identity term is on. `mirrored`
    says which images G was given mirrored, [B, 1, 1, 1]; features and places are those of the image as it is, x in the
    colours that G saw. `key` is the batch's. `ignored` is what D is not shown of outputs and of real images alike, bool
    [B, 1, H, W]: the masks of x, mirrored as the outputs are, and of y.
    """

    outputs: Tensor
    mirrored: Tensor | None
    features: dict[str, Tensor]
    places: dict[str, Tensor]
    real: Tensor
    key: Tensor
    ignored: Tensor | None

    @property
    def fake(self) -> Tensor:
        """G(x), or G of the mirrored x."""
        return self.outputs[: len(self.real)]


class CUT(nn.Module):
    """L = L_GAN(G, D) + lambda_x L_NCE(G, H, X) + lambda_y L_NCE(G, H, Y)    (Eq. 3).

    Which patches enter L_NCE is the sampler's matter; with `attention=none` this is CUT.

    Args:
        generator: builds G.
        discriminator: builds D.
        sampler: builds H from the channels of G's taps.
        lambda_gan: weight of the adversarial term.
        lambda_x: weight of PatchNCE between x and G(x).
        lambda_y: weight of PatchNCE between y and G(y); 0 leaves the identity term and its passes out.
        temperature: tau of Eq. 2.
        reduction: "mean" averages PatchNCE over patches and taps and halves the sum of its x and y terms, as
            the released CUT code does; "sum" is Eq. 1 and 3 as printed, heavier by patches * taps * 2.
        flip_equivariance: G is given every second image, at random, mirrored, and its output's features are mirrored
            back before they meet the image's own (FastCUT).
        hard_negatives: epsilon of the weights that PatchNCE's negatives get (MoNCE); None: all count alike.
    """

    generators_first = False
    settled = True

    def __init__(
        self,
        *,
        generator: Callable[[], Generator],
        discriminator: Callable[[], Discriminator],
        sampler: Callable[[Mapping[str, int]], PatchSampler],
        lambda_gan: float,
        lambda_x: float,
        lambda_y: float,
        temperature: float,
        reduction: Literal["mean", "sum"],
        flip_equivariance: bool,
        hard_negatives: float | None = None,
    ) -> None:
        super().__init__()
        for name, weight in (("lambda_gan", lambda_gan), ("lambda_x", lambda_x), ("lambda_y", lambda_y)):
            if weight < 0:
                raise ValueError(f"{name} must be >= 0, got {weight}")
        if temperature <= 0:
            raise ValueError(f"temperature must be > 0, got {temperature}")
        if hard_negatives is not None and hard_negatives <= 0:
            raise ValueError(f"hard_negatives must be > 0, or null for none, got {hard_negatives}")
        if reduction not in ("mean", "sum"):
            raise ValueError(f"reduction must be mean or sum, got {reduction!r}")
        self.G = generator()
        self.D = discriminator()
        self.H = sampler(self.G.channels)
        self.lambda_gan = lambda_gan
        self.lambda_x = lambda_x
        self.lambda_y = lambda_y
        self.temperature = temperature
        self.reduction = reduction
        self.flip_equivariance = flip_equivariance
        self.hard_negatives = hard_negatives

    def translator(self) -> Generator:
        """G."""
        return self.G

    def forward_pass(self, batch: Batch) -> CUTState:
        """G(x), and G(y) for the identity term, in one pass that also yields the keys' features."""
        inputs, key_B, ignored = self.G.align(batch.x), batch.key, batch.ignored_x
        if self.lambda_y > 0:
            inputs = torch.cat([inputs, batch.y])
            key_B = torch.cat([batch.key, noise.fork(batch.key, _Y_STREAM)])
            ignored = stacked(batch.ignored_x, batch.ignored_y)
        if self.flip_equivariance:
            mirrored = noise.uniform(key_B, 1, _MIRROR_STREAM)[:, :, None, None] < 0.5
            outputs = self.G.core(_mirror(inputs, mirrored))
            with torch.no_grad():
                features = self.G.encoder(inputs)
        else:
            mirrored = None
            features = self.G.encoder(inputs)
            outputs = self.G.decoder(features["block5"], inputs)
        # G is stepped only after the terms: these activations are the keys, and encoding x, y again would repeat them
        features = {tap: x_BCHW.detach() for tap, x_BCHW in features.items()}
        places = self.H.choose(features, self.H.score(features, key_B), key_B, batch.progress, ignored)
        of_x = batch.ignored_x
        if of_x is not None and mirrored is not None:
            of_x = _mirror(of_x, mirrored[: len(of_x)])
        return CUTState(outputs, mirrored, features, places, batch.y, batch.key, either(of_x, batch.ignored_y))

    def chosen(self, state: CUTState) -> Places:
        """Those of x and, with the identity term, of y."""
        return {tap: (places, _grid(state.features[tap])) for tap, places in state.places.items()}

    def generator_terms(self, state: CUTState) -> dict[str, Tensor]:
        """Weighted `gan`, `nce_x` and, where lambda_y > 0, `nce_y`."""
        logits = self.D(greyed(state.fake, state.ignored), noise.fork(state.key, _JUDGED_STREAM))
        terms = {"gan": self.lambda_gan * generator_loss(logits)}
        nce = self._nce(state)
        share = 0.5 if self.reduction == "mean" and self.lambda_y > 0 else 1.0
        terms["nce_x"] = share * self.lambda_x * nce[0]
        if self.lambda_y > 0:
            terms["nce_y"] = share * self.lambda_y * nce[1]
        return terms

    def discriminator_terms(self, state: CUTState) -> dict[str, Tensor]:
        """The halves `d_fake` and `d_real`."""
        key_2B = torch.cat([noise.fork(state.key, stream) for stream in (_FAKE_STREAM, _REAL_STREAM)])
        shown = [greyed(images, state.ignored) for images in (state.fake.detach(), state.real)]
        logits = self.D(torch.cat(shown), key_2B)
        fake, real = logits.split(len(state.real))
        return {"d_fake": discriminator_loss_fake(fake), "d_real": discriminator_loss_real(real)}

    def _nce(self, state: CUTState) -> list[Tensor]:
        """L_PatchNCE (Eq. 1) of x and of y, each the mean over its images.

        Query: the encoder's features of the output. Key: those of the input, without graph. Negatives come
        from the same image only.
        """
        features = self.G.encoder(state.outputs)
        if state.mirrored is not None:
            features = {tap: _mirror(x_BCHW, state.mirrored) for tap, x_BCHW in features.items()}
        query = self.H(features, state.places)
        with torch.no_grad():
            key = self.H(state.features, state.places)
        losses = []
        for start in range(0, len(state.outputs), len(state.real)):
            part = slice(start, start + len(state.real))
            taps = [self._patch_nce(query[tap][part], key[tap][part]) for tap in query]
            if self.reduction == "sum":
                taps = [query[tap].shape[1] * loss for tap, loss in zip(query, taps, strict=True)]
            total = torch.stack(taps).sum()
            losses.append(total / len(taps) if self.reduction == "mean" else total)
        return losses

    def _patch_nce(self, query_BND: Tensor, key_BND: Tensor) -> Tensor:
        epsilon = self.hard_negatives
        weights_BNN = None if epsilon is None else hard_negatives(query_BND, key_BND, epsilon)
        return patch_nce(query_BND, key_BND, self.temperature, weights_BNN)

    @torch.no_grad()
    def score_maps(self, x: Tensor, key: Tensor, progress: float, ignored: Tensor | None = None) -> dict[str, ScoreMap]:
        """Significance and chosen places at every tap, for source images and their keys."""
        features = self.G.encoder(self.G.align(x))
        scores = self.H.score(features, key)
        places = self.H.choose(features, scores, key, progress, ignored)
        return {tap: ScoreMap(scores[tap], places[tap], _grid(features[tap]), self.H.is_random(tap)) for tap in places}

    def fit_colours(self, x: Colours, y: Colours) -> None:
        """Fit the colour alignment of G."""
        self.G.fit_colours(x, y)

    def generator_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters of G and H: the heads and the attention share G's optimiser."""
        yield from self.G.parameters()
        yield from self.H.parameters()

    def discriminator_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters of D."""
        yield from self.D.parameters()


def _grid(x_BCHW: Tensor) -> tuple[int, int]:
    return x_BCHW.shape[2], x_BCHW.shape[3]


def _mirror(x_BCHW: Tensor, mirrored_B111: Tensor) -> Tensor:
    return torch.where(mirrored_B111, x_BCHW.flip(3), x_BCHW)
