"""The roots of what trains."""

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING


@dataclass
class TrainConfig:
    """Root of conf/train.yaml; the groups below it are checked by the constructors they name.

    Attributes:
        seed: fixes weights, draws, crops, flips and places.
        variant: the run's row in a table; by default it follows from the choices, see src.config.naming.variant.
        resume: run folder to continue; its own configuration is used.
        init_from: run folder, file of weights or an address of either on the Hub that a new run starts from; a finished
            run needs it no more.
        compile: torch.compile of encoder, decoder and discriminator.
        nce_reduction: method.reduction of the methods that have PatchNCE; here, so that a preset can set it for all.
        nce_identity: likewise method.lambda_y, the weight of PatchNCE(y, G(y)).
    """

    seed: int = MISSING
    variant: str = "${variant:${method._target_},${attention.module._target_}}"
    resume: str | None = None
    init_from: str | None = None
    compile: bool = False
    nce_reduction: str = MISSING
    nce_identity: float = MISSING
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
class SegmentConfig:
    """Root of conf/segment.yaml.

    Attributes:
        train: labelled set to train on: a folder, or {images: folder, labels: folder}.
        test: labelled set to score on, likewise.
        seed: fixes weights, draws, crops and flips.
        resume: run folder to continue; its own configuration is used.
    """

    train: Any = MISSING
    test: Any = MISSING
    seed: int = MISSING
    resume: str | None = None
    labels: Any = MISSING
    segmenter: Any = MISSING
    data: Any = MISSING
    module: Any = MISSING
    optimizer: Any = MISSING
    checkpoint: Any = MISSING
    logger: Any = MISSING
    trainer: Any = MISSING
