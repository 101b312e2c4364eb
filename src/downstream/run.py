"""What src.segment does: a segmenter, new or continued, from its configuration to its scores."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning import seed_everything
from omegaconf import DictConfig
from tqdm import tqdm

from src.config import limits
from src.config.build import build, complete
from src.data import label_tables
from src.data.labelled import LabelledFrame, Split, digest, labelled_set
from src.data.labels import LabelTable
from src.downstream import confusion
from src.downstream.data import LabelledData, check_readable, read_labelled
from src.downstream.module import Segmentation
from src.downstream.trained import TrainedSegmenter, build_network, build_table, save_network
from src.runs import resuming
from src.runs.folder import CHECKPOINT
from src.runs.run import Run, opened
from src.system.device import arithmetic
from src.system.errors import UserError
from src.training import endings
from src.training.callbacks.checkpoint import LastCheckpoint, check_fits
from src.training.trainer import build_module, build_trainer, fit, quieten

FREE_ON_RESUME = {key: (key,) for key in ("train", "test", "trainer.accelerator", "data.num_workers")}


def run(config: DictConfig, folder: Path) -> dict[str, float]:
    """Train as the command line asks, with one line for every way a training may be stopped; returns its scores.

    Args:
        config: as composed; with `resume`, what it may change of the run in `folder`.
        folder: of the run.
    """
    with endings.ending("src.segment", folder):
        trained_by, resume = resuming.configured(folder, config, FREE_ON_RESUME, {})
        return segment(trained_by, folder, resume=resume)


def segment(config: DictConfig, folder: Path, *, resume: bool = False) -> dict[str, float]:
    """One run, new or continued, in `folder`; returns its scores on the test set."""
    limits.check_fit(config)
    with opened(folder, config, resume=resume) as run:
        return _segment(run) if run.scores is None else run.scores


def _segment(run: Run) -> dict[str, float]:
    """Build, fit and score; returns the scores."""
    config, folder = run.config, run.folder
    if config.trainer.devices != 1:
        raise UserError(f"trainer.devices: a segmenter trains on one device, got {config.trainer.devices}")
    quieten()
    table = build_table(config)
    frames = _labelled(config.train, table, "train", "train")
    tests = _labelled(config.test, table, "val", "test")
    data: LabelledData = complete(build(config.data, "data"), "data", frames, table)
    seed_everything(config.seed, workers=True, verbose=False)
    network = build_network(config, table)
    module = build_module(config, network)
    assert isinstance(module, Segmentation)
    last: LastCheckpoint = build(config.checkpoint, "checkpoint")(folder / CHECKPOINT, accumulate=1)
    trainer = build_trainer(config, folder, [last])
    digests = {"train_digest": digest(frames), "test_digest": digest(tests)}
    if run.start is not None:
        check_fits(run.start, module, data)
    run.keep_config()  # of a continued run too: where its sets lie now

    fit(trainer, module, data, last, run.start)

    where = trainer.strategy.root_device
    save_network(folder, network)
    network.eval().requires_grad_(False).to(where)
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
        "commit": run.commit,
        "arithmetic": arithmetic(where),
    }
    run.finish(metrics, protocol, {"seconds": round(module.seconds(), 1)})
    return metrics


def _labelled(node: Any, table: LabelTable, split: Split, key: str) -> list[LabelledFrame]:
    """A set that can be read and is labelled by `table`; see `labelled_set` for what may name it."""
    frames = labelled_set(node, split, key)
    label_tables.demand_own(frames, table, key)
    check_readable(frames, table)
    return frames


def score(trained: TrainedSegmenter, frames: Sequence[LabelledFrame], white: int) -> torch.Tensor:
    """The confusion matrix [K, K] over all frames, see read_image, at the full size of their class maps."""
    counts = confusion.Confusion(len(trained.table))
    for frame in tqdm(frames, desc="scoring", unit="image", file=sys.stderr, leave=False):
        pixels, labels = read_labelled(frame, trained.table, white)
        height, width = labels.shape
        counts.add(trained.predict(pixels, (height, width)), torch.from_numpy(labels))
    return counts.matrix()
