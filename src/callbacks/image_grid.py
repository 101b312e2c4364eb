"""A fixed panel of validation frames after every epoch: source, output, and the score map of each tap."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from src.data.datamodule import spaced
from src.data.images import Pixels, write_image
from src.data.transforms import to_pixels
from src.data.unpaired import sample_key
from src.errors import UserError
from src.methods.base import ScoreMap
from src.modules.translation import Translation
from src.tracking.run import WandbRun
from src.validation import Validation, as_input


class ImageGrid(Callback):
    """Writes `epoch_NNNN.png` and hands the picture to TensorBoard and W&B.

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
        self.folder = folder
        self.every_n_epochs = every_n_epochs
        self.seed = seed
        files = spaced(validation.x_files, images)
        self.names = [path.stem for path in files]
        self.frames = list(validation.frames(files))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the panel with the averaged translator and the attention in training."""
        epoch = trainer.current_epoch + 1
        if not trainer.is_global_zero or (epoch % self.every_n_epochs and epoch != trainer.max_epochs):
            return
        assert isinstance(pl_module, Translation)
        rows = []
        for number, frame in enumerate(self.frames):
            x = as_input(frame, pl_module.average.network)
            key = torch.tensor([sample_key(self.seed, 0, number)], device=pl_module.device)
            with torch.no_grad():
                output = pl_module.average.network(x)[0]
            rows.append((frame, output, pl_module.method.score_maps(x, key, epoch / (trainer.max_epochs or epoch))))
        picture = draw(self.names, rows)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_image(self.folder / f"epoch_{epoch:04d}.png", picture)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("grid", picture, pl_module.batches, dataformats="HWC")
            elif isinstance(logger, WandbRun):
                logger.log_panel(picture, pl_module.batches)


def draw(names: Sequence[str], rows: Sequence[tuple[Tensor, Tensor, Mapping[str, ScoreMap]]]) -> Pixels:
    """One row a frame: source | output | score map and chosen places of each tap. -> [H, W, 3]."""
    taps = list(rows[0][2])
    height, width = rows[0][0].shape[1:]
    columns = 2 + len(taps)
    figure = Figure(figsize=(2.2 * columns, 0.25 + len(rows) * (0.15 + 2.2 * height / width)), dpi=110, layout="tight")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for row, (name, (source, output, maps)) in enumerate(zip(names, rows, strict=True)):
        for axis, title, image in zip(axes[row], ("source", "output"), (source, output), strict=False):
            axis.imshow(to_pixels(image), interpolation="nearest")
            axis.set_title(title if row == 0 else "", fontsize=9)
        axes[row][0].set_ylabel(name, fontsize=6)
        for axis, tap in zip(axes[row][2:], taps, strict=True):
            _draw_map(axis, maps[tap])
            axis.set_title(f"{tap}: {maps[tap].places.shape[1]} places" if row == 0 else "", fontsize=9)
        for axis in axes[row]:
            axis.set_xticks([])
            axis.set_yticks([])
    return _pixels(figure)


def _draw_map(axis: Axes, score_map: ScoreMap) -> None:
    score = score_map.score[0].unflatten(0, score_map.grid).float().cpu().numpy()
    # a few extreme places would leave the rest of the map one colour
    low, high = np.percentile(score, (1, 99))
    axis.imshow(score, cmap="cividis", vmin=low, vmax=max(high, low + 1e-12), interpolation="nearest")
    places = score_map.places[0].cpu().numpy()
    width = score_map.grid[1]
    axis.scatter(places % width, places // width, s=7, c="red", edgecolors="white", linewidths=0.4)


def _pixels(figure: Figure) -> Pixels:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[:, :, :3])
