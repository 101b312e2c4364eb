"""What src.segment does: a segmenter, new or continued, from its configuration to its scores."""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from lightning import seed_everything
from omegaconf import DictConfig, OmegaConf
from torch import nn
from tqdm import tqdm

from src.config import limits
from src.config.build import build, complete
from src.data import label_tables
from src.data.labelled import Frame, digest, labelled_set
from src.downstream import confusion
from src.downstream.data import LabelledData, check_readable, read_labelled
from src.downstream.module import Segmentation
from src.downstream.trained import TrainedSegmenter, build_network, build_table, save_network
from src.runs import resuming
from src.runs.folder import CHECKPOINT, save_config
from src.runs.lock import alone
from src.runs.results import save_cost, save_metrics
from src.system.commit import git_commit
from src.system.device import arithmetic
from src.system.errors import UserError
from src.training import endings
from src.training.callbacks.checkpoint import LastCheckpoint, check_fits
from src.training.trainer import build_trainer, fit, quieten

FREE_ON_RESUME = {key: (key,) for key in ("train", "test", "trainer.accelerator", "data.num_workers")}


def run(config: DictConfig, folder: Path) -> dict[str, float]:
    """Train as the command line asks, with one line for every way a training may be stopped; returns its scores.

    Args:
        config: as composed; with `resume`, what it may change of the run in `folder`.
        folder: of the run.
    """
    with endings.ending("src.segment", folder):
        if config.resume is None:
            return segment(config, folder)
        return segment(resuming.saved_config(folder, config, FREE_ON_RESUME, {}), folder, resume=True)


@alone
def segment(config: DictConfig, folder: Path, *, resume: bool = False) -> dict[str, float]:
    """One run, new or continued, in `folder`; returns its scores on the test set."""
    limits.check_fit(config)
    commit = git_commit()
    start: Path | None = None
    if not resume:
        resuming.refuse_second_run(folder)
    elif (done := resuming.finished(folder)) is not None:
        return done
    else:
        start = resuming.checkpoint(folder)
    if config.trainer.devices != 1:
        raise UserError(f"trainer.devices: a segmenter trains on one device, got {config.trainer.devices}")
    quieten()
    frames, tests = (
        labelled_set(_plain(config.train), "train", "train"),
        labelled_set(_plain(config.test), "val", "test"),
    )
    table = build_table(config)
    for labelled, key in ((frames, "train"), (tests, "test")):
        label_tables.demand_own(labelled, table, key)
    for part in (frames, tests):
        check_readable(part, table)
    data: LabelledData = complete(build(config.data, "data"), "data", frames, table)
    seed_everything(config.seed, workers=True, verbose=False)
    network = build_network(config, table)
    optimizer = build(config.optimizer, "optimizer")
    module: Segmentation = complete(build(config.module, "module"), "module", network, optimizer=optimizer)
    complete(optimizer, "optimizer", [nn.Parameter(torch.zeros(1))])  # refused now, not after the first batch
    last: LastCheckpoint = build(config.checkpoint, "checkpoint")(folder / CHECKPOINT, accumulate=1)
    trainer = build_trainer(config, folder, [last])
    digests = {"train_digest": digest(frames), "test_digest": digest(tests)}
    if start is not None:
        check_fits(start, module, data)
    save_config(folder, config)  # of a resumed run too: where its sets lie now
    fit(trainer, module, data, last, start)

    save_network(folder, network)
    network.eval().requires_grad_(False).to(trainer.strategy.root_device)
    trained = TrainedSegmenter(folder, network, table, data.transforms)
    matrix_KK = score(trained, tests, data.images.white)
    metrics = {"miou": confusion.mean_iou(matrix_KK), "accuracy": confusion.accuracy(matrix_KK)} | {
        f"iou/{name}": value
        for name, value in confusion.by_name(confusion.iou(matrix_KK), table.names).items()
        if value is not None
    }
    protocol = {
        "n_train": len(frames),
        "n_test": len(tests),
        **digests,
        "score": "one confusion matrix over the test set, at the full size of its class maps; miou over the classes "
        "they hold; without flips or other scales",
        "frames": f"whole, resized to a height of {data.transforms.height} pixels, antialiased; logits back, bilinear",
        "seed": config.seed,
        "batches": module.batches,
        "commit": commit,
        "arithmetic": arithmetic(trainer.strategy.root_device),
    }
    save_cost(folder, {"seconds": round(module.seconds(), 1)})  # before the scores: where they are, it is finished
    save_metrics(folder, metrics, protocol)
    return metrics


def score(trained: TrainedSegmenter, frames: Sequence[Frame], white: int) -> torch.Tensor:
    """The confusion matrix [K, K] over all frames, see read_image, at the full size of their class maps."""
    counts = confusion.Confusion(len(trained.table))
    for frame in tqdm(frames, desc="scoring", unit="image", file=sys.stderr, leave=False):
        pixels, labels = read_labelled(frame, trained.table, white)
        height, width = labels.shape
        counts.add(trained.predict(pixels, (height, width)), torch.from_numpy(labels))
    return counts.matrix()


def _plain(node: object) -> object:
    return OmegaConf.to_container(node) if isinstance(node, DictConfig) else node
