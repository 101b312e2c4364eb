"""DiffAugment beside a loop over images and pixels."""

import pytest
import torch
from torch import Tensor

from src.methods.cut import CUT
from src.networks import noise
from src.networks.augment import DiffAugment
from src.networks.discriminator import Discriminator
from tests.conftest import batch, cut

KEYS = torch.arange(40) * 7919


def images(count: int = 40, height: int = 16, width: int = 24) -> Tensor:
    return torch.rand(count, 2, height, width, generator=torch.Generator().manual_seed(0)) + 0.5  # nowhere 0


def shift_of(key: Tensor, height: int, width: int, share: float) -> tuple[int, int]:
    uniform = noise.uniform(key[None], 2, 0x73)[0].tolist()
    most = round(height * share), round(width * share)
    return int(uniform[0] * (2 * most[0] + 1)) - most[0], int(uniform[1] * (2 * most[1] + 1)) - most[1]


def test_translation_by_a_loop_over_pixels():
    x = images()
    out = DiffAugment(translation=0.125, cutout=0.0)(x, KEYS)
    shifts = set()
    for b, key in enumerate(KEYS):
        down, right = shift_of(key, 16, 24, 0.125)
        shifts.add((down, right))
        for i in range(16):
            for j in range(24):
                inside = 0 <= i + down < 16 and 0 <= j + right < 24
                expected = x[b, :, i + down, j + right] if inside else torch.zeros(2)
                assert torch.equal(out[b, :, i, j], expected)
    assert {down for down, _ in shifts} == set(range(-2, 3))
    assert {right for _, right in shifts} >= {-3, 3}


def test_cutout_takes_one_rectangle_of_the_stated_sides():
    x = images()
    hole = DiffAugment(translation=0.0, cutout=0.5)(x, KEYS) == 0
    assert torch.equal(hole[:, 0], hole[:, 1])
    for one in hole[:, 0]:
        rows, columns = one.any(1).nonzero().flatten(), one.any(0).nonzero().flatten()
        assert one.sum() == len(rows) * len(columns)
        assert 4 <= len(rows) <= 8
        assert 6 <= len(columns) <= 12  # less where the image's border cuts it
    # half of each side, of which an eighth on average lies outside, as the centre may be anywhere
    assert float(hole.float().mean()) == pytest.approx((0.5 * 7 / 8) ** 2, abs=0.03)


def test_what_an_image_gets_follows_from_its_key_alone():
    augment = DiffAugment(translation=0.125, cutout=0.3)
    together = augment(images(), KEYS)
    torch.testing.assert_close(augment(images()[7:8], KEYS[7:8]), together[7:8], atol=0, rtol=0)
    other = augment(images(), KEYS + 1)
    assert not torch.equal(other, together)


def test_the_gradient_is_that_of_the_pixels_that_are_left():
    x = images(4).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda image: DiffAugment(translation=0.2, cutout=0.3)(image, KEYS[:4]), x)


def test_off_it_is_the_image_itself():
    x = images()
    assert DiffAugment(translation=0.0, cutout=0.0)(x, KEYS) is x


@pytest.mark.parametrize("name", ["translation", "cutout"])
def test_shares_beyond_the_image_are_refused(name: str):
    own = {"translation": 0.0, "cutout": 0.0, name: 1.0}
    with pytest.raises(ValueError, match=rf"discriminator\.{name} is a share and must lie in \[0, 1\), got 1\.0"):
        Discriminator(width=2, halvings=2, blur=True, init="xavier", gain=0.02, **own)


def seen(method: CUT) -> list[Tensor]:
    """What D looks at in G's step and in its own."""
    found: list[Tensor] = []
    method.D.body.register_forward_pre_hook(lambda module, args: found.append(args[0].detach()))
    state = method.forward_pass(batch(size=2))
    method.discriminator_terms(state)
    method.generator_terms(state)
    return found


def test_both_players_of_cut_look_at_augmented_images_each_time_anew():
    plain = seen(cut())
    augmented = seen(cut("discriminator.translation=0.25", "discriminator.cutout=0.5"))
    again = seen(cut("discriminator.translation=0.25", "discriminator.cutout=0.5"))
    assert len(plain) == len(augmented) == 2
    for one, other, third in zip(plain, augmented, again, strict=True):
        assert not torch.equal(one, other)
        assert torch.equal(other, third)
    assert not torch.equal(augmented[0][:2], augmented[1])  # the same outputs, drawn anew
