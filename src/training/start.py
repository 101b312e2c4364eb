"""A method as a training begins with it: its first weights, and refused if its images are too small for it."""

from typing import Any

import torch
from lightning import seed_everything
from omegaconf import DictConfig
from torch import nn

from src.config.build import build_method
from src.data.transforms import Transforms
from src.data.untrained import Untrained
from src.networks.critic import Critic
from src.networks.discriminator import Discriminator
from src.networks.generator import Decoder, Encoder, Generator
from src.runs import hub
from src.system.errors import UserError
from src.system.ranks import say
from src.training.callbacks.initial_weights import InitialWeights
from src.training.translation import Translation


def method_for(config: DictConfig, transforms: Transforms, initial: InitialWeights, *, new: bool) -> Any:
    """The method of a run, a Module as well, ready for the data's colours, or for the checkpoint that fills it.

    Its weights follow from the seed alone, whatever was drawn before; those of `init_from` take their place.

    Args:
        config: of the run.
        transforms: whose size its images have.
        initial: takes the weights of `init_from`.
        new: whether there is no checkpoint.
    """
    seed_everything(config.seed, workers=True, verbose=False)
    method = build_method(config)
    if new and config.get("init_from") is not None:
        say(initial.take(method, hub.path_of(config.init_from)))
    _demand_room(method, transforms.height, transforms.width)
    if config.compile:
        _compile(method)
    return method


def fit_colours(module: Translation, untrained: Untrained) -> None:
    """Give a new method and its average the colours of the data, where it aligns them."""
    average = module.average.network
    if isinstance(average, Generator) and average.architecture.align:
        for network in (module.method, average):
            network.fit_colours(*untrained.colours)


def _demand_room(method: Any, height: int, width: int) -> None:
    """Refuse now, not at the first step, more places than a map has, or images smaller than D sees at once."""
    for network in method.modules():
        if isinstance(network, Critic) and min(height, width) < network.least:
            halves = isinstance(network, Discriminator)
            raise UserError(
                f"{'discriminator.halvings' if halves else 'discriminator'}: needs images of "
                f"{network.least}x{network.least} pixels, got {height}x{width}; "
                f"{'lower it or ' if halves else ''}raise data.size"
            )
    method.score_maps(torch.zeros(1, 3, height, width), torch.zeros(1, dtype=torch.int64), 0.0)


def _compile(method: nn.Module) -> None:
    for network in method.modules():
        if isinstance(network, Encoder | Decoder | Discriminator):
            network.compile()  # in place: names in checkpoints and weights stay what they are
