"""What a method is made of, in numbers of parameters."""

from torch import nn

from src.networks.attention.base import Attention
from src.networks.critic import Critic
from src.networks.generator import Generator
from src.networks.patch_sampler import PatchSampler


def parameters_by_part(method: nn.Module) -> dict[str, int]:
    """Parameters of all generators `G`, all discriminators `D`, the PatchNCE `heads` and their `attention`.

    Raises ValueError if the parts do not add up to the whole: a new kind of network needs a part of its own.
    """
    parts = {
        "G": _count(method, Generator),
        "D": _count(method, Critic),
        "heads": _count(method, PatchSampler) - _count(method, Attention),
        "attention": _count(method, Attention),
    }
    total = sum(parameter.numel() for parameter in method.parameters())
    if sum(parts.values()) != total:
        raise ValueError(f"{total - sum(parts.values())} of {total} parameters belong to no known part of the method")
    return parts


def _count(method: nn.Module, kind: type[nn.Module]) -> int:
    # by identity: networks may share parameters
    found = {parameter for module in method.modules() if isinstance(module, kind) for parameter in module.parameters()}
    return sum(parameter.numel() for parameter in found)
