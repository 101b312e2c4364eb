"""What a method is made of: its parameters by part."""

from torch import nn

from src.networks.attention.base import Attention
from src.networks.critic import Critic
from src.networks.generator import Generator
from src.networks.patch_sampler import PatchSampler


def parameters_by_part(method: nn.Module) -> dict[str, int]:
    """Parameters of all generators `G`, all discriminators `D`, the PatchNCE `heads` and their `attention`.

    Raises ValueError if the parts do not add up to the whole: a new kind of network needs a part of its own.
    """
    parts = {name: sum(parameter.numel() for parameter in found) for name, found in _parts(method).items()}
    total = sum(parameter.numel() for parameter in method.parameters())
    if sum(parts.values()) != total:
        raise ValueError(f"{total - sum(parts.values())} of {total} parameters belong to no known part of the method")
    return parts


def trained_by_part(method: nn.Module) -> dict[str, list[nn.Parameter]]:
    """The same parts, of which those that are empty or frozen are left out."""
    trained = {name: [one for one in found if one.requires_grad] for name, found in _parts(method).items()}
    return {name: found for name, found in trained.items() if found}


def _parts(method: nn.Module) -> dict[str, list[nn.Parameter]]:
    attention = _of(method, Attention)
    heads = [one for one in _of(method, PatchSampler) if not any(one is other for other in attention)]
    return {"G": _of(method, Generator), "D": _of(method, Critic), "heads": heads, "attention": attention}


def _of(method: nn.Module, kind: type[nn.Module]) -> list[nn.Parameter]:
    # by identity: networks may share parameters
    found = (parameter for module in method.modules() if isinstance(module, kind) for parameter in module.parameters())
    return list(dict.fromkeys(found))
