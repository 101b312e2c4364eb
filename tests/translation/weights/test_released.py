"""Generators of the released CUT and CycleGAN code, against their layers told again in tests/released.py."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from src.networks.generator import Architecture, restore
from src.translation.weights.released import from_released
from tests.released import Released

State = dict[str, Tensor]


def images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


def state(**options: object) -> State:
    return dict(Released(**{"width": 4, "down": True, "up": True, "blocks": 9, **options}).state_dict())


@pytest.mark.parametrize(
    ("down", "up", "blur"), [(True, True, True), (False, False, False), (True, False, "down"), (False, True, "up")]
)
@pytest.mark.parametrize("blocks", [6, 9])
@pytest.mark.parametrize("dropout", [False, True])
def test_its_outputs_are_the_released_networks(down: bool, up: bool, blur: object, blocks: int, dropout: bool):
    theirs = Released(width=8, down=down, up=up, blocks=blocks, dropout=dropout)
    architecture, tensors = from_released(theirs.state_dict())
    assert architecture == Architecture(8, blur, blocks)
    ours = restore(architecture, tensors)
    for shape in ((2, 3, 32, 44), (1, 3, 60, 20)):
        expected = theirs(images(*shape))
        assert float(expected.std()) > 0.1
        # of single precision, through some twenty norms
        torch.testing.assert_close(ours(images(*shape)), expected, atol=1e-5, rtol=0)


def test_names_may_begin_as_data_parallel_leaves_them():
    plain = state()
    wrapped = {f"module.{key}": value for key, value in plain.items()}
    for one, other in zip(from_released(wrapped), from_released(plain), strict=True):
        assert one == other if isinstance(one, Architecture) else all(torch.equal(one[k], other[k]) for k in one)


def test_half_precision_is_widened():
    _, tensors = from_released({key: value.half() for key, value in state().items()})
    assert {value.dtype for value in tensors.values()} == {torch.float32}


def without(key: str) -> Callable[[State], State]:
    return lambda tensors: {name: value for name, value in tensors.items() if name != key}


def having(key: str, value: Tensor) -> Callable[[State], State]:
    return lambda tensors: {**tensors, key: value}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda _: {}, r"^model\.1\.weight is missing"),
        (lambda _: {"model.model.0.weight": torch.ones(1)}, r"^model\.model\.0\.weight: a U-Net"),
        (lambda _: {"encoder.convs.0.weight": torch.ones(1)}, r"^encoder\.convs\.0\.weight: a StyleGAN2 generator"),
        (lambda _: {"enc_content.model.0.weight": torch.ones(1)}, r"^enc_content\.model.*resnet_cat"),
        (lambda _: {"mlp_0.0.weight": torch.ones(1)}, r"^mlp_0\.0\.weight: the heads of PatchNCE"),
        (having("model.1.weight_orig", torch.ones(1)), r"^model\.1\.weight_orig: .*spectral"),
        (having("optimizer", torch.ones(1)), r"^optimizer: no weight of a released generator"),
        (having("model.2.running_mean", torch.ones(4)), r"^model\.2\.running_mean: a norm with running statistics"),
        (having("model.2.num_batches_tracked", torch.ones(())), r"^model\.2\.num_batches_tracked: a norm with running"),
        (having("model.2.weight", torch.ones(4)), r"^model\.2\.weight: a norm with weights of its own"),
        (having("model.4.weight", torch.ones(8, 4, 3, 3).long()), r"^model\.4\.weight: not floating point"),
        (having("model.4.bias", torch.full((8,), torch.nan)), r"^model\.4\.bias: holds NaN or infinity"),
        (having("model.1.weight", torch.ones(4)), r"^model\.1\.weight: a norm with weights"),
        (having("model.1.weight", torch.ones(4, 1, 7, 7)), r"^model\.1\.weight is \(4, 1, 7, 7\); a .*\(4, 3, 7, 7\)$"),
        (
            having("model.30.weight", torch.ones(1, 4, 7, 7)),
            r"^model\.30\.weight is \(1, 4, 7, 7\); a .*\(3, 4, 7, 7\)$",
        ),
        (having("model.40.weight", torch.ones(4, 4, 3, 3)), r"^model\.40\.weight is \(4, 4, 3, 3\); a .* has none$"),
        (having("model.1.weight", torch.ones(2000, 3, 7, 7)), r"^generator\.width must lie in \[1, 1024\], got 2000$"),
        (
            without("model.1.bias"),
            r"^model\.1\.bias is missing; a ResNet generator of 9 blocks of 16 channels has \(4,\)$",
        ),
        (without("model.7.filt"), r"^model\.10\.conv_block: the first residual block is expected there, .* 12, 13,"),
        (without("model.11.filt"), r"^model\.11\.filt is missing"),
        (without("model.21.filt"), r"^model\.21\.weight is missing"),
        (having("model.7.filt", torch.ones(8, 1, 3, 3) / 9), r"^model\.7\.filt: another blur filter"),
        (having("model.7.filt", torch.ones(8, 1, 4, 4)), r"^model\.7\.filt is \(8, 1, 4, 4\)"),
        (lambda _: state(blocks=4), r"^generator\.blocks must lie in \[5, 64\], got 4$"),
        (
            lambda tensors: {k: v for k, v in tensors.items() if not k.startswith("model.13.")},
            r"^model\.12\.conv_block: the first residual block is expected there, blocks are at 12, 14",
        ),
    ],
)
def test_what_is_not_supported_is_said_with_the_name_of_the_weight(spoil: Callable[[State], State], message: str):
    with pytest.raises(ValueError, match=message) as raised:
        from_released(spoil(state()))
    assert "\n" not in str(raised.value)


def test_restoring_names_the_first_weight_that_does_not_fit():
    architecture, tensors = from_released(state())
    with pytest.raises(ValueError, match=r"^encoder\.down1\.bias is missing there, and \(8,\) is expected$"):
        restore(architecture, without("encoder.down1.bias")(tensors))
    with pytest.raises(ValueError, match=r"^more is \(1,\) there, and nothing is expected$"):
        restore(architecture, {**tensors, "more": torch.ones(1)})
    with pytest.raises(
        ValueError, match=r"^encoder\.stem\.0\.weight is \(4, 3, 7, 7\) there, and \(8, .*\) is expected$"
    ):
        restore(architecture._replace(width=8), tensors)


def test_restoring_draws_nothing():
    architecture, tensors = from_released(state())
    before = torch.get_rng_state()
    restore(architecture, tensors)
    assert torch.equal(torch.get_rng_state(), before)
