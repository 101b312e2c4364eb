"""The validation frames of a run: translated by a network, scored against the real ones."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from os.path import commonpath
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from src.data.datamodule import UnpairedData, spaced
from src.data.images import read_image, write_image
from src.data.transforms import to_pixels, to_tensor
from src.errors import UserError
from src.metrics.scores import ImageSet, Scores


class Validation:
    """Whole frames at the training height, evenly spaced over the validation files; nothing is drawn at random.

    Args:
        data: of the run.
        scores: what is computed.
        limit: frames a domain; a float up to 1.0 is a share.
    """

    def __init__(self, data: UnpairedData, scores: Scores, limit: int | float) -> None:
        self.transforms = data.transforms
        self.scores = scores
        self.x_files = spaced(data.domains.x_val, limit)
        self.y_files = spaced(data.domains.y_val, limit)
        if min(len(self.x_files), len(self.y_files)) < 2:
            raise UserError(
                f"scores need at least 2 validation images a domain, got {len(self.x_files)} and {len(self.y_files)}; "
                "add images or raise trainer.limit_val_batches"
            )

    def frames(self, files: Iterable[Path]) -> Iterator[Tensor]:
        """[3, H, W] in [-1, 1], one after the other."""
        for path in files:
            yield self.transforms.validation(read_image(path))

    @torch.no_grad()
    def translated(self, network: nn.Module) -> Iterator[Tensor]:
        """G(x) of every source frame, as its 8-bit file will hold it: [3, H, W] in [-1, 1]."""
        for x in tqdm(self.frames(self.x_files), total=len(self.x_files), desc="translating", leave=False):
            yield to_tensor(to_pixels(network(as_input(x, network))[0]))

    @cached_property
    def real(self) -> ImageSet:
        """Target frames."""
        return self.scores.gather(tqdm(self.frames(self.y_files), total=len(self.y_files), desc="real", leave=False))

    @cached_property
    def source(self) -> ImageSet:
        """Untranslated source frames."""
        return self.scores.gather(tqdm(self.frames(self.x_files), total=len(self.x_files), desc="source", leave=False))

    def score(self, network: nn.Module, output: Path | None = None) -> dict[str, float]:
        """Scores of G(x) against the real frames; the translated frames are kept in `output`, if given."""
        images = self.translated(network)
        return self.scores(self.scores.gather(self._kept(images, output) if output else images), self.real)

    def references(self) -> dict[str, float]:
        """The same scores for what needs no network: `*_source`, untranslated; `*_floor`, real against real.

        The floor needs two sets of two images, and is left out below four real ones.
        """
        references = {f"{name}_source": value for name, value in self.scores(self.source, self.real).items()}
        if len(self.real) >= 4:
            references |= {f"{name}_floor": value for name, value in self.scores.floor(self.real).items()}
        return references

    def protocol(self) -> dict[str, object]:
        """How the scores were computed."""
        return {
            "n_fake": len(self.x_files),
            "n_real": len(self.y_files),
            "floor": "every second real frame against the others",
            "frames": f"whole, resized to training size by data.fit={self.transforms.fit}, antialiased",
            **self.scores.protocol(),
        }

    def _kept(self, images: Iterable[Tensor], output: Path) -> Iterator[Tensor]:
        parents = commonpath([path.parent for path in self.x_files])
        for path, image in zip(self.x_files, images, strict=True):
            target = (output / path.relative_to(parents)).with_suffix(".png")
            target.parent.mkdir(parents=True, exist_ok=True)
            write_image(target, to_pixels(image))
            yield image


def as_input(image_3HW: Tensor, network: nn.Module) -> Tensor:
    """A batch of one, [1, 3, H, W], on the device and in the precision of the network."""
    parameter = next(network.parameters())
    return image_3HW[None].to(parameter.device, parameter.dtype)
