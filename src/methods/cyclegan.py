"""CycleGAN (Zhu et al. 2017): two translators that undo each other; Eq. 3 and the identity loss of Sec. 5.2.

G: x -> y is the translator that is kept, F: y -> x serves its training only. B images a domain.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from src.losses.adversarial import discriminator_loss_fake, discriminator_loss_real, generator_loss
from src.losses.cycle import cycle_loss
from src.methods.base import Batch, Places, ScoreMap
from src.methods.ignored import either, greyed
from src.methods.image_pool import ImagePool
from src.networks import noise
from src.networks.colour import Colours
from src.networks.discriminator import Discriminator
from src.networks.generator import Generator

_JUDGED_Y, _JUDGED_X, _SHOWN_Y, _SHOWN_X = range(0x64, 0x68)  # keys of what a D sees, in G's step and in its own


@dataclass(frozen=True)
class CycleGANState:
    """What one pass of both generators leaves; all images [B, 3, H, W].

    `fake_y` is G(x), `cycle_x` F(G(x)), `identity_y` G(y), `shown_y` what D_y sees of the present and past G(x);
    the others likewise. The identities are missing where their weight is 0. `ignored`, bool [B, 1, H, W], is what
    neither D is shown of outputs or of real images: the masks of x and of y; `shown_*` are past it already.
    """

    x: Tensor
    y: Tensor
    key: Tensor
    fake_x: Tensor
    fake_y: Tensor
    cycle_x: Tensor
    cycle_y: Tensor
    identity_x: Tensor | None
    identity_y: Tensor | None
    shown_x: Tensor
    shown_y: Tensor
    ignored: Tensor | None


class CycleGAN(nn.Module):
    """L = L_GAN(G, D_y) + L_GAN(F, D_x) + lambda_cycle (L_cyc + lambda_identity L_identity), each L over both domains.

    Args:
        generator: builds G, then F.
        discriminator: builds D_y, then D_x.
        lambda_cycle: weight of the cycle terms.
        lambda_identity: weight of the identity terms as a share of lambda_cycle; 0 leaves them and their passes out.
        pool: past outputs each discriminator is shown; 0 shows it the present ones only.
    """

    generators_first = True

    def __init__(
        self,
        *,
        generator: Callable[[], Generator],
        discriminator: Callable[[], Discriminator],
        lambda_cycle: float,
        lambda_identity: float,
        pool: int,
    ) -> None:
        super().__init__()
        for name, weight in (("lambda_cycle", lambda_cycle), ("lambda_identity", lambda_identity)):
            if weight < 0:
                raise ValueError(f"{name} must be >= 0, got {weight}")
        # G and D_y first: a seed then gives them the weights with which CUT starts
        self.G = generator()
        self.D_y = discriminator()
        self.F = generator()
        self.D_x = discriminator()
        self.pool_y = ImagePool(pool, stream=0)
        self.pool_x = ImagePool(pool, stream=1)
        self.lambda_cycle = lambda_cycle
        self.lambda_identity = lambda_identity

    @property
    def settled(self) -> bool:
        """Whether both pools are full."""
        return self.pool_x.full and self.pool_y.full

    def translator(self) -> Generator:
        """G."""
        return self.G

    def forward_pass(self, batch: Batch) -> CycleGANState:
        """Both ways and back again; the pools take the new outputs."""
        x, y = batch.x, batch.y
        identity_x = identity_y = None
        if self.lambda_identity > 0:
            fake_y, identity_y = self.G.core(torch.cat([self.G.align(x), y])).split(len(x))
            fake_x, identity_x = self.F.core(torch.cat([self.F.align(y), x])).split(len(x))
        else:
            fake_y, fake_x = self.G(x), self.F(y)
        ignored = either(batch.ignored_x, batch.ignored_y)
        return CycleGANState(
            x=x,
            y=y,
            key=batch.key,
            fake_x=fake_x,
            fake_y=fake_y,
            cycle_x=self.F(fake_y),
            cycle_y=self.G(fake_x),
            identity_x=identity_x,
            identity_y=identity_y,
            shown_x=self.pool_x(greyed(fake_x, ignored), batch.key),
            shown_y=self.pool_y(greyed(fake_y, ignored), batch.key),
            ignored=ignored,
        )

    def chosen(self, state: CycleGANState) -> Places:
        """None."""
        return {}

    def generator_terms(self, state: CycleGANState) -> dict[str, Tensor]:
        """Weighted `gan_*` and `cycle_*` and, where lambda_identity > 0, `identity_*`, of both domains."""
        judged_y, judged_x = greyed(state.fake_y, state.ignored), greyed(state.fake_x, state.ignored)
        terms = {
            "gan_y": generator_loss(self.D_y(judged_y, noise.fork(state.key, _JUDGED_Y))),
            "gan_x": generator_loss(self.D_x(judged_x, noise.fork(state.key, _JUDGED_X))),
            "cycle_x": self.lambda_cycle * cycle_loss(state.cycle_x, state.x),
            "cycle_y": self.lambda_cycle * cycle_loss(state.cycle_y, state.y),
        }
        if state.identity_x is not None and state.identity_y is not None:
            weight = self.lambda_cycle * self.lambda_identity
            terms["identity_x"] = weight * cycle_loss(state.identity_x, state.x)
            terms["identity_y"] = weight * cycle_loss(state.identity_y, state.y)
        return terms

    def discriminator_terms(self, state: CycleGANState) -> dict[str, Tensor]:
        """The halves `d_fake_y` and `d_real_y` of D_y's loss, and D_x's."""
        real_y, real_x = greyed(state.y, state.ignored), greyed(state.x, state.ignored)
        return {
            **_halves(self.D_y, "y", state.shown_y, real_y, noise.fork(state.key, _SHOWN_Y)),
            **_halves(self.D_x, "x", state.shown_x, real_x, noise.fork(state.key, _SHOWN_X)),
        }

    def score_maps(self, x: Tensor, key: Tensor, progress: float, ignored: Tensor | None = None) -> dict[str, ScoreMap]:
        """None: no patches are sampled."""
        return {}

    def fit_colours(self, x: Colours, y: Colours) -> None:
        """Fit the colour alignment of both ways."""
        self.G.fit_colours(x, y)
        self.F.fit_colours(y, x)

    def generator_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters of G and F."""
        yield from self.G.parameters()
        yield from self.F.parameters()

    def discriminator_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters of D_y and D_x."""
        yield from self.D_y.parameters()
        yield from self.D_x.parameters()


def _halves(discriminator: Discriminator, domain: str, shown: Tensor, real: Tensor, key_B: Tensor) -> dict[str, Tensor]:
    key_2B = torch.cat([key_B, noise.fork(key_B, 0)])
    fake_logits, real_logits = discriminator(torch.cat([shown, real]), key_2B).split(len(real))
    return {
        f"d_fake_{domain}": discriminator_loss_fake(fake_logits),
        f"d_real_{domain}": discriminator_loss_real(real_logits),
    }
