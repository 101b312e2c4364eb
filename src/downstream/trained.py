"""What a finished segmenter is: a run folder that holds a network, its label table and its size of images."""

from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig
from safetensors.torch import save
from torch import Tensor

from src.config.build import build, complete
from src.data.images import Pixels
from src.data.labels import LabelTable
from src.downstream.segmenter import Segmenter
from src.downstream.transforms import JointTransforms
from src.runs.folder import WEIGHTS, load_config
from src.runs.weights import fill, load_weights
from src.system.errors import UserError
from src.system.files import write


@dataclass(frozen=True)
class TrainedSegmenter:
    """A trained segmenter with all that its predictions depend on.

    Attributes:
        folder: of its run.
        network: in evaluation mode.
        table: its classes.
        transforms: how a frame is brought to size.
    """

    folder: Path
    network: Segmenter
    table: LabelTable
    transforms: JointTransforms

    def predict(self, pixels: Pixels, shape: tuple[int, int]) -> Tensor:
        """Train ids of a whole frame, [height, width] of `shape`, on the CPU."""
        return self.network.classes_at(self.transforms.whole(pixels), shape).cpu()


def build_table(config: DictConfig) -> LabelTable:
    """The label table a configuration describes."""
    table: LabelTable = build(config.labels, "labels")
    return table


def build_network(config: DictConfig, table: LabelTable) -> Segmenter:
    """The network a configuration describes, with fresh weights."""
    network: Segmenter = complete(build(config.segmenter, "segmenter"), "segmenter", classes=len(table))
    return network


def save_network(folder: Path, network: Segmenter) -> None:
    """Write the weights."""
    tensors = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    write(folder / WEIGHTS, save(tensors))


def load_segmenter(folder: Path, device: torch.device) -> TrainedSegmenter:
    """A finished segmenter; raises UserError if the folder holds none."""
    config = load_config(folder)
    if "segmenter" not in config or "labels" not in config:
        raise UserError(f"{folder}: holds no segmenter; name a folder that src.segment wrote")
    config.segmenter.weights = None  # its own come from the folder
    table = build_table(config)
    network = build_network(config, table)
    fill(network, load_weights(folder), folder)
    data = config.data
    transforms = JointTransforms(size=data.size, aspect=data.aspect, smallest_crop=data.smallest_crop)
    return TrainedSegmenter(folder, network.to(device), table, transforms)
