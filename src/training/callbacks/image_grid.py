"""A fixed panel of validation frames after every epoch: source, output and what to hold it against, then score maps."""

from pathlib import Path

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger

from src.data.images import write_image
from src.system.errors import UserError
from src.tables.pictures.score_maps import panel
from src.training.callbacks.watched import Watched
from src.training.translation import Translation
from src.training.validation import Validation
from src.training.wandb.run import WandbRun


class ImageGrid(Callback):
    """Writes `epoch_NNNN.png` and hands the picture to TensorBoard and W&B.

    A row is a frame: the source, the source with a photograph's colours (Reinhard, which learns nothing), the output,
    some photograph, and the score map of each tap that has attention.

    Args:
        folder: for the pictures.
        validation: gives the frames.
        seed: of the run; the places of random scores follow from it.
        images: rows.
        every_n_epochs: how often.
    """

    def __init__(self, folder: Path, validation: Validation, *, seed: int, images: int, every_n_epochs: int) -> None:
        for name, value in (("images", images), ("every_n_epochs", every_n_epochs)):
            if value < 1:
                raise UserError(f"callbacks.image_grid.{name} must be >= 1, got {value}")
        self.folder, self.validation, self.seed = folder, validation, seed
        self.images, self.every_n_epochs = images, every_n_epochs

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Read the frames."""
        validation = self.validation
        self.watched = Watched(validation, self.images)
        files = self.watched.files
        self.transferred = [validation.transferred(path) for path in files]
        self.photographs = list(validation.frames(validation.photographs(len(files))))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the panel with the averaged translator and the attention in training."""
        epoch = trainer.current_epoch + 1
        if not trainer.is_global_zero or (epoch % self.every_n_epochs and epoch != trainer.max_epochs):
            return
        assert isinstance(pl_module, Translation)
        rows = []
        for number, (x, maps) in enumerate(self.watched.maps(trainer, pl_module, seed=self.seed, draws=0)):
            with torch.no_grad():
                output = pl_module.average.network(x)[0]
            images = {
                "source": self.watched.frames[number],
                "colour transfer, learns nothing": self.transferred[number],
                "output": output,
                "a photograph, of another place": self.photographs[number % len(self.photographs)],
            }
            rows.append((images, {tap: one for tap, one in maps.items() if not one.random}))
        picture = panel([path.stem for path in self.watched.files], rows)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_image(self.folder / f"epoch_{epoch:04d}.png", picture)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("grid", picture, pl_module.batches, dataformats="HWC")
            elif isinstance(logger, WandbRun):
                logger.log_panel(picture, pl_module.batches)
