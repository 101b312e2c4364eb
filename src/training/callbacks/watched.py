"""A few fixed frames on which training is watched: the same ones in every epoch."""

from collections.abc import Iterator, Mapping

import torch
from lightning import Trainer
from torch import Tensor

from src.data.unpaired import sample_key, spaced
from src.methods.base import ScoreMap
from src.training.translation import Translation
from src.training.validation import Validation, as_input


class Watched:
    """Validation frames, evenly spaced, and what is ignored of them.

    Args:
        validation: gives the frames.
        count: at most so many.
    """

    def __init__(self, validation: Validation, count: int) -> None:
        self.files = spaced(validation.x_files, count)
        self.frames = list(validation.frames(self.files))
        self._ignored = [validation.masks.source(*pair) for pair in zip(self.files, self.frames, strict=True)]

    def maps(
        self, trainer: Trainer, module: Translation, *, seed: int, draws: int
    ) -> Iterator[tuple[Tensor, Mapping[str, ScoreMap]]]:
        """Of each frame the network's input, [1, 3, H, W], and each tap's scores and places, by what is in training.

        Args:
            trainer: at the end of an epoch, whose progress is taken.
            module: in training.
            seed: of the run.
            draws: an epoch; the random part of the places is that of its samples.
        """
        epoch = trainer.current_epoch + 1
        progress = min(1.0, epoch / (module.held_from or trainer.max_epochs or epoch))
        for number, (frame, ignored) in enumerate(zip(self.frames, self._ignored, strict=True)):
            x = as_input(frame, module.average.network)
            key = torch.tensor([sample_key(seed, draws, number)], device=module.device)
            mask = None if ignored is None else ignored.to(x.device)
            yield x, module.method.score_maps(x, key, progress, mask)
