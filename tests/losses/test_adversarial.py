"""The least-squares GAN terms by hand."""

import pytest
import torch

from src.losses.adversarial import discriminator_loss_fake, discriminator_loss_real, generator_loss

LOGITS = torch.tensor([[[[0.0, 1.0], [2.0, -1.0]]]])


def test_generator_wants_ones():
    assert float(generator_loss(LOGITS)) == (1 + 0 + 1 + 4) / 4


def test_discriminator_wants_ones_for_real_and_zeros_for_fake_at_half_weight():
    assert float(discriminator_loss_real(LOGITS)) == (1 + 0 + 1 + 4) / 4 / 2
    assert float(discriminator_loss_fake(LOGITS)) == (0 + 1 + 4 + 1) / 4 / 2


@pytest.mark.parametrize("loss", [generator_loss, discriminator_loss_real, discriminator_loss_fake])
def test_half_precision_logits_are_reduced_in_fp32(loss):
    logits = (torch.randn(2, 1, 30, 30, generator=torch.Generator().manual_seed(0)) / 8).bfloat16()
    found = loss(logits)
    assert found.dtype == torch.float32
    assert float(found) == pytest.approx(float(loss(logits.double())), rel=1e-5)
