"""A finished run that can say where it looks: its translator beside the method that still holds its attention."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from src.data.sixteen_bits import white_of
from src.data.transforms import Transforms, transforms_of
from src.data.unpaired import sample_key
from src.methods.base import Method
from src.runs import logs
from src.runs.folder import CONFIG, load_config
from src.runs.weights import load_method, load_translator
from src.system.errors import UserError
from src.tables.pictures.score_maps import Explained

SPREAD = {"coverage": "cells of 8x8 with a place", "reached": "places ever chosen"}
"""What is drawn of the log, `places/<tap>_<name>`: the share of an 8x8 partition's cells, and of the map's places."""


@dataclass(frozen=True)
class Trained:
    """A finished run.

    Attributes:
        label: for people.
        method: with the weights and the attention of the last step.
        network: whose output is shown.
        transforms: how it sees frames.
        white: of the 16-bit files it was trained on.
        seed: of the run; the places of random scores follow from it.
        log: of its training.
    """

    label: str
    method: Method[Any]
    network: nn.Module
    transforms: Transforms
    white: int
    seed: int
    log: logs.Log


def load(label: str, folder: Path, where: torch.device, *, average: bool) -> Trained:
    """The run in a folder, on a device; raises UserError if it has not finished, or names no seed.

    Args:
        label: for people.
        folder: of the run.
        where: the device.
        average: show the output of the averaged weights, or of the last step's.
    """
    config = load_config(folder)
    seed = config.get("seed")
    if not isinstance(seed, int):
        raise UserError(f"{folder / CONFIG}: names no seed, which random places follow from; name another run")
    network = load_translator(folder, average=average).to(where)
    return Trained(
        label=label,
        method=load_method(folder).to(where),
        network=network,
        transforms=transforms_of(config.get("data")),
        white=white_of(config.get("data")),
        seed=seed,
        log=logs.read(folder),
    )


@torch.no_grad()
def explained(run: Trained, frame: Tensor, number: int, where: torch.device) -> Explained:
    """What a run makes of a frame, and where it looks.

    Args:
        run: on the device.
        frame: as its transforms give it, [3, H, W] in [-1, 1].
        number: of the frame among those that are explained; random places follow from it too.
        where: the device.
    """
    x = frame[None].to(where)
    key = torch.tensor([sample_key(run.seed, 0, number)], device=where)
    maps = run.method.score_maps(x, key, 1.0)
    spread = {
        heading: {tap: run.log[name] for tap in maps if (name := f"places/{tap}_{quantity}") in run.log}
        for quantity, heading in SPREAD.items()
    }
    return Explained(run.label, run.network(x)[0], maps, {heading: taps for heading, taps in spread.items() if taps})
