"""Whatever a user adds to a configuration is used, or refused in one line."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from lightning import LightningModule, Trainer
from lightning.pytorch import callbacks
from omegaconf import OmegaConf

from src.training.run import train
from tests.bad_inputs.refusal import assert_refused, run_composed
from tests.conftest import TINY
from tests.test_train import DRAWN, tiny

NOTHING = "there is no such setting; leave it out"


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ("+foo=1", f"^foo: {NOTHING}$"),
        ("+optimiser.lr=1", r"^optimiser: there is no such setting; did you mean optimizer\?$"),
        ("+table1.x=1", f"^table1: {NOTHING}$"),
        ("+experiment.x=1", f"^experiment: {NOTHING}$"),
        ("+trainer.x=1", r"^trainer\.x: Trainer takes no such setting"),
        ("+module.x=1", r"^module\.x: Translation takes no such setting"),
        ("+data.x=1", r"^data\.x: UnpairedData takes no such setting"),
        ("+data.layout.foo=1", r"^data\.layout\.foo: folders takes no such setting"),
        ("+optimizer.x=1", r"^optimizer\.x: Adam takes no such setting"),
        ("+method.x=1", r"^method\.x: CUT takes no such setting"),
        ("+generator.x=1", r"^generator\.x: Generator takes no such setting"),
        ("+discriminator.x=1", r"^discriminator\.x: Discriminator takes no such setting"),
        ("+sampler.x=1", r"^sampler\.x: PatchSampler takes no such setting"),
        ("method=cyclegan +sampler.x=1", r"^sampler\.x: PatchSampler takes no such setting"),
        ("method=cyclegan +selection.x=1", r"^selection\.x: TopK takes no such setting"),
        ("+attention.x=1", rf"^attention\.x: {NOTHING}$"),
        ("+attention.module.x=1", r"^attention\.module\.x: TripletAttention takes no such setting"),
        ("+extractor.x=1", r"^extractor\.x: EfficientNetLite0 takes no such setting"),
        ("+metrics.x=1", rf"^metrics\.x: {NOTHING}$"),
        ("+metrics.every_epochs=1", r"^metrics\.every_epochs: .*; did you mean every_n_epochs\?$"),
        ("+metrics.scores.x=1", r"^metrics\.scores\.x: Scores takes no such setting"),
        ("+logger.x=1", r"^logger\.x is no logger; give logger\.x\._target_=<class of one>, or leave it out$"),
        ("+logger.csv.x=1", r"^logger\.csv\.x: CSVLogger takes no such setting"),
        ("+logger.mine._target_=lightning.pytorch.loggers.CSVLogger", r"^logger\.mine: .*missing .*save_dir"),
        ("+callbacks.x=1", r"^callbacks\.x is no callback; give callbacks\.x\._target_=<class of one>"),
        ("+callbacks.checkpoint.x=1", r"^callbacks\.checkpoint\.x: LastCheckpoint takes no such setting"),
        ("+callbacks.mine._target_=os.system", r"^callbacks\.mine\._target_: os\.system is none of the classes"),
        ("+callbacks.mine._target_=torch.optim.Adam", r"^callbacks\.mine\._target_: torch\.optim\.Adam is none of the"),
        (
            "+callbacks.mine._target_=src.training.callbacks.checkpoint.WholeFileIO +callbacks.mine.previous=p",
            r"^callbacks\.mine is no callback",
        ),
        (
            "+callbacks.mine._target_=src.training.callbacks.checkpoint.LastCheckpoint +callbacks.mine._partial_=true "
            "+callbacks.mine.every_n_batches=5",
            "^callbacks: a run goes on from one checkpoint, of one LastCheckpoint, and not of 2$",
        ),
        ("+callbacks.mine._target_=src.training.callbacks.reach.Reach", r"^callbacks\.mine: .*missing .*'validation'"),
    ],
)
def test_what_is_added_and_not_used_is_refused(added: str, message: str, frames: Callable[..., Path], tmp_path: Path):
    good = ["data=folders", f"data.root={frames(train=2)}", "data.size=32", "data.num_workers=0", *TINY]
    small = ["trainer.max_epochs=1", "data.samples_per_epoch=1", "metrics.scores.side=64"]
    assert_refused(run_composed("train", tmp_path / "run", [*good, *small, *added.split()]), message)


class Mine(callbacks.Callback):
    """Counts its batches, and keeps what it was given."""

    given: tuple[Path, int, int]
    batches = 0

    def __init__(self, folder: Path, seed: int, *, every: int) -> None:
        type(self).given = folder, seed, every

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        type(self).batches += 1


def test_callbacks_of_ones_own_and_of_lightning_are_called(
    frames: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    module = ModuleType("src.training.callbacks.mine")
    module.Mine = Mine  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(Mine, "__module__", module.__name__)
    added = [
        "+callbacks.mine._target_=src.training.callbacks.mine.Mine",
        *("+callbacks.mine._partial_=true", "+callbacks.mine.every=3"),
        "+callbacks.rate._target_=lightning.pytorch.callbacks.LearningRateMonitor",
        *("~callbacks.image_grid", "metrics.scores=null", "seed=5"),
        "+logger.second._target_=lightning.pytorch.loggers.CSVLogger",
        f"+logger.second.save_dir={tmp_path / 'elsewhere'}",
    ]
    config = tiny(frames(), *added, panel=DRAWN)
    folder = tmp_path / "run"
    folder.mkdir()
    train(config, folder)
    assert Mine.given == (folder / "images", 5, 3)
    assert Mine.batches == 12
    logged = next((tmp_path / "elsewhere").rglob("metrics.csv")).read_text()
    assert "lr-Adam" in logged.splitlines()[0]
    assert not list((folder / "images").glob("epoch_*.png"))
    assert "mine" in OmegaConf.load(folder / "config.yaml").callbacks
