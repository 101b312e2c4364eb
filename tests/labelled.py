"""Labelled sets and segmenters small enough for tests."""

from pathlib import Path

import numpy as np
import torch
from omegaconf import OmegaConf
from PIL import Image

from src.config.build import build_method
from src.data.streets import write
from src.runs.folder import save_config
from src.runs.results import save_metrics
from src.runs.weights import save_weights
from src.training.average import WeightAverage
from tests.conftest import TINY, config
from tests.conftest import composed as composed

SMALL = [
    "segmenter.encoder=tu-test_resnet",
    "data.size=32",
    "data.batch_size=2",
    "data.samples_per_epoch=6",
    "data.num_workers=0",
    "trainer.max_epochs=2",
    "trainer.accelerator=cpu",
    "trainer.log_every_n_steps=1",
]


def streets(root: Path) -> Path:
    """Five game frames, four to train on and two to validate, in the two true layouts."""
    write.write_frames(root, list(write.all_frames(5, {("train", "altenbruck"): 4, ("val", "lindenau"): 2})))
    return root


def translator(folder: Path, *data: str) -> Path:
    """A finished run with random weights, which paints something other than grey."""
    folder.mkdir(parents=True)
    cfg = config(*TINY, "attention=none", *data)
    torch.manual_seed(0)
    method = build_method(cfg)
    for parameter in method.G.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    resolved = OmegaConf.create(OmegaConf.to_container(cfg, resolve=False))
    for key in ("callbacks", "logger", "metrics"):
        del resolved[key]
    save_config(folder, resolved)
    save_weights(folder, method, WeightAverage(method.G, decay=0.9).network)
    save_metrics(folder, {"kid": 1.0}, {"seed": 0})
    return folder


def write_pair(images: Path, labels: Path, name: str, seed: int, size: tuple[int, int] = (40, 48)) -> None:
    """An image of flat stripes, and its CamVid class map, which tells each stripe's class."""
    height, width = size
    stripes = np.random.default_rng(seed).integers(0, 12, 4, dtype=np.uint8)
    ids = np.repeat(stripes, -(-width // 4))[None, :width].repeat(height, 0)
    for folder in (images, labels):
        folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.stack([ids * 20, ids * 10, 255 - ids * 20], axis=-1)).save(images / f"{name}.png")
    Image.fromarray(ids).save(labels / f"{name}.png")
