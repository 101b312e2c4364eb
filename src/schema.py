"""The root of a configuration, typed: what no class below it owns."""

from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING


@dataclass
class TrainConfig:
    """Root of conf/train.yaml; the groups below it are checked by the constructors they name.

    Attributes:
        seed: fixes weights, draws, crops, flips and places.
        resume: run folder to continue; its own configuration is used.
        compile: torch.compile of encoder, decoder and discriminator.
    """

    seed: int = MISSING
    resume: str | None = None
    compile: bool = False
    method: Any = MISSING
    generator: Any = MISSING
    discriminator: Any = MISSING
    sampler: Any = MISSING
    attention: Any = MISSING
    selection: Any = MISSING
    data: Any = MISSING
    module: Any = MISSING
    optimizer: Any = MISSING
    extractor: Any = MISSING
    metrics: Any = MISSING
    callbacks: Any = MISSING
    logger: Any = MISSING
    trainer: Any = MISSING


@dataclass
class TranslateConfig:
    """Root of conf/translate.yaml.

    Attributes:
        run: folder of a trained run.
        input: an image, or a folder of images at any depth.
        output: folder for the translated PNGs.
        average: use the averaged weights, as the run's own scores do; false takes the last step's.
        accelerator: cpu, cuda, mps, or auto.
    """

    run: str = MISSING
    input: str = MISSING
    output: str = MISSING
    average: bool = True
    accelerator: str = "auto"


def register() -> None:
    """Make the schemas known to Hydra."""
    store = ConfigStore.instance()
    store.store(name="train_schema", node=TrainConfig)
    store.store(name="translate_schema", node=TranslateConfig)
