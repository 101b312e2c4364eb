"""Generators as the released CUT and CycleGAN code saves them (`latest_net_G.pth`), read without running the files.

There a generator is one list of layers, and a weight's name says its place in the list: `model.4.weight`, in a residual
block `model.12.conv_block.1.weight`. Blur filters take places and are saved (`model.7.filt`); so do the modules that
have no weights. `Generator.layers` goes through ours in that order.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from src.networks.generator import Architecture, Generator, ResBlock, blank, restore
from src.networks.resample import BlurDown, BlurUp
from src.system.errors import UserError

_OTHERS = {
    r"model\.model\.": "a U-Net (netG=unet_128 or unet_256)",
    r"(encoder|decoder)\.": "a StyleGAN2 generator (netG=stylegan2 or smallstylegan2)",
    r"(enc_content|dec)\.": "a generator of netG=resnet_cat",
    r"mlp_\d+\.": "the heads of PatchNCE (latest_net_F.pth)",
    r".*\.(weight_orig|weight_u|weight_v)$": "a network under spectral normalisation",
}
_BLOCK = re.compile(r"model\.(\d+)\.conv_block\.")
_STEM = "model.1.weight"


def read(path: Path) -> Generator:
    """The generator of a `latest_net_G.pth`; raises UserError, naming the weight, for one that cannot be taken."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load fails in many ways on what is not its own
        raise UserError(
            f"{path}: not a plain weights file of torch; name a latest_net_G.pth, or a file that src.export wrote"
        ) from error
    if not (isinstance(content, dict) and content and all(isinstance(value, Tensor) for value in content.values())):
        raise UserError(f"{path}: not a dictionary of weights; name a latest_net_G.pth")
    try:
        return restore(*from_released({str(key): value for key, value in content.items()}))
    except ValueError as error:
        raise UserError(f"{path}: {error}; name a latest_net_G.pth of netG=resnet_9blocks or resnet_6blocks") from error


def from_released(state: Mapping[str, Tensor]) -> tuple[Architecture, dict[str, Tensor]]:
    """Width, resampling and blocks of a released generator, and its weights under our names, float32.

    Args:
        state: the state dict; each name may begin with `module.`, as DataParallel leaves it.

    Dropout in the residual blocks has no weights and only shifts places; the network is ours, which has none, as theirs
    in evaluation mode.

    Raises ValueError, naming the first weight that is out of place, for any other network.
    """
    if state and all(key.startswith("module.") for key in state):
        state = {key.removeprefix("module."): value for key, value in state.items()}
    for key, value in state.items():
        _refuse_others(key, value)
    if _STEM not in state:
        raise ValueError(f"{_STEM} is missing; a released ResNet generator has it")
    if state[_STEM].dim() != 4:
        raise ValueError(f"{_STEM}: not the weights of a convolution")
    down, up, blocks, dropout = _layout(state)
    architecture = Architecture(state[_STEM].shape[0], down if down == up else "down" if down else "up", blocks)
    expected = dict(_names(architecture, dropout=dropout))
    shapes = {key: tuple(value.shape) for key, value in blank(architecture).state_dict().items()}
    filters = dict(_filters(architecture))
    for key in {**expected, **filters, **state}:
        there = tuple(state[key].shape) if key in state else None
        here = shapes[expected[key]] if key in expected else tuple(filters[key].shape) if key in filters else None
        if there != here:
            what = f"{architecture.blocks} blocks of {4 * architecture.width} channels"
            raise ValueError(f"{key} is {there or 'missing'}; a ResNet generator of {what} has {here or 'none'}")
    for key, value in filters.items():
        if not torch.allclose(state[key].float(), value, rtol=0, atol=1e-6):
            raise ValueError(f"{key}: another blur filter than the released code's")
    return architecture, {ours: state[key].float().contiguous() for key, ours in expected.items()}


def _refuse_others(key: str, value: Tensor) -> None:
    for pattern, what in _OTHERS.items():
        if re.match(pattern, key):
            raise ValueError(f"{key}: {what}; only the ResNet generators can be taken")
    if re.search(r"\.(running_mean|running_var|num_batches_tracked)$", key):
        raise ValueError(
            f"{key}: a norm with running statistics (batch norm, or an instance norm that tracks them); only plain "
            "instance norm can be taken"
        )
    if not key.startswith("model."):
        raise ValueError(f"{key}: no weight of a released generator")
    if key.endswith(".weight") and value.dim() == 1:
        raise ValueError(f"{key}: a norm with weights of its own; only plain instance norm can be taken")
    if not value.is_floating_point():
        raise ValueError(f"{key}: not floating point")
    if not value.isfinite().all():
        raise ValueError(f"{key}: holds NaN or infinity")


def _layout(state: Mapping[str, Tensor]) -> tuple[bool, bool, int, bool]:
    """Blurred on the way down, and up; residual blocks; dropout in them."""
    places = sorted({int(found[1]) for key in state if (found := _BLOCK.match(key))})
    down = "model.7.filt" in state
    first = 12 if down else 10
    if not places or places != list(range(first, first + len(places))):
        there = ", ".join(map(str, places[:12])) or "none"
        raise ValueError(f"model.{first}.conv_block: the first residual block is expected there, blocks are at {there}")
    after = first + len(places)
    return down, f"model.{after}.filt" in state, len(places), f"model.{first}.conv_block.6.weight" in state


def _names(architecture: Architecture, *, dropout: bool) -> Iterator[tuple[str, str]]:
    """Of every weight, its name in the released code and ours."""
    network = blank(architecture)
    ours = {module: name for name, module in network.named_modules()}
    for place, layer in enumerate(network.layers()):
        inner = {f"model.{place}": layer}
        if isinstance(layer, ResBlock):
            # dropout stands behind the ReLU, which is the fourth
            inner = {f"model.{place}.conv_block.{n + (dropout and n > 3)}": one for n, one in enumerate(layer.body)}
        for theirs, module in inner.items():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                yield from ((f"{theirs}.{part}", f"{ours[module]}.{part}") for part in ("weight", "bias"))


def _filters(architecture: Architecture) -> Iterator[tuple[str, Tensor]]:
    """Their name and the values of every blur filter; ours are not saved."""
    channels = architecture.width
    for place, layer in enumerate(blank(architecture).layers()):
        if isinstance(layer, nn.Conv2d):
            channels = layer.out_channels
        elif isinstance(layer, ResBlock):
            channels = 4 * architecture.width
        elif isinstance(layer, BlurDown | BlurUp):
            # the zeros that BlurUp's filter meets take three of four values away
            row = torch.tensor([1.0, 2.0, 1.0]) / 4 if isinstance(layer, BlurDown) else torch.tensor([1.0, 3, 3, 1]) / 4
            yield f"model.{place}.filt", (row[:, None] * row).expand(channels, 1, -1, -1)
