"""Least-squares GAN loss (Mao et al. 2017, Eq. 9 with a = 0, b = c = 1), on PatchGAN maps of any shape, in fp32."""

from torch import Tensor

from src.losses.precision import at_least_fp32


def generator_loss(fake_logits: Tensor) -> Tensor:
    """E[(D(G(x)) - 1)^2]: zero when D takes every patch of the output for real.

    Examples:
        >>> import torch
        >>> generator_loss(torch.tensor([[1.0, 1.0], [1.0, 0.0]])).item()  # one patch of four is found out
        0.25
    """
    return (at_least_fp32(fake_logits) - 1).square().mean()


def discriminator_loss_real(real_logits: Tensor) -> Tensor:
    """1/2 E[(D(y) - 1)^2]; the half slows D down against G, as in CycleGAN and CUT."""
    return (at_least_fp32(real_logits) - 1).square().mean() / 2


def discriminator_loss_fake(fake_logits: Tensor) -> Tensor:
    """1/2 E[D(G(x))^2]; `fake_logits` must come from a detached output."""
    return at_least_fp32(fake_logits).square().mean() / 2
