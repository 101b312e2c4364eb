"""The validation frames of a run: translated by a network, scored against the real ones."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from os.path import commonpath
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from src.data.datamodule import UnpairedData
from src.data.images import demand_apart, image_size, read_image, reading, write_image
from src.data.scored_masks import ScoredMasks
from src.data.transforms import to_pixels, to_tensor
from src.data.unpaired import spaced
from src.metrics.floor import LEAST, described, floor, stretches
from src.metrics.image_set import ImageSet, to_bytes
from src.metrics.per_image import write_per_image
from src.metrics.scores import Scores
from src.metrics.sharpness import laplacian_deviation
from src.system.errors import UserError
from src.system.ranks import from_first, rank, ranks, share, shared_failure, to_first
from src.translation.any_size import translate_images

OWN = 16
"""Frames a domain whose sharpness is measured at their own size."""
SHOWN = 4
"""Training frames that are translated and drawn in place of validation frames that a set has not."""


class Validation:
    """Whole frames at the training height, evenly spaced over the validation files; nothing is drawn at random.

    Where there are several ranks, all of them call `score` and `references`: each works on its share of the frames,
    and all get the same numbers. Features of the real and the source frames are kept on disk for the next job.
    Frames are looked for when they are first asked for.

    Args:
        data: of the run.
        scores: what is computed; None scores nothing, and a set without validation frames shows SHOWN of training's.
        limit: frames a domain; a float up to 1.0 is a share.
    """

    def __init__(self, data: UnpairedData, scores: Scores | None, limit: int | float) -> None:
        self.data, self.transforms, self.white = data, data.transforms, data.white
        self._scores = scores
        self.names = [] if scores is None else scores.names
        self._limit = limit
        self._gathered: dict[str, ImageSet] = {}

    def demand_enough(self) -> None:
        """Refuse frames that cannot be scored, or whose outputs would have one name."""
        if self._scores is not None and min(self._counts()) < 2:
            raise UserError(
                f"scores need at least 2 validation images a domain, got {len(self.x_files)} and {len(self.y_files)}; "
                "add images, lower data.layout.holdout, raise trainer.limit_val_batches, or train without scores: "
                "metrics.scores=null"
            )
        demand_apart((path, _kept(Path(name))) for path, name in zip(self.x_files, self._file_names(), strict=True))

    @cached_property
    def x_files(self) -> list[Path]:
        """The frames that are translated."""
        domains = self.data.domains
        if self._scores is not None:
            domains.demand_validation()
        return spaced(domains.x_val, self._limit) if domains.x_val else spaced(domains.x_train, SHOWN)

    @cached_property
    def y_files(self) -> list[Path]:
        """The real frames that their outputs are scored against; none where nothing is scored."""
        return [] if self._scores is None else spaced(self.data.domains.y_val, self._limit)

    @property
    def scores(self) -> Scores:
        """What is computed, if anything is."""
        assert self._scores is not None
        return self._scores

    def headline(self, metrics: Mapping[str, float]) -> float:
        """The score that ranks runs, of those of `score`; NaN where nothing is scored."""
        return metrics[self.names[0]] if self.names else math.nan

    def frames(self, files: Iterable[Path]) -> Iterator[Tensor]:
        """[3, H, W] in [-1, 1], one after the other."""
        return map(self._read, files)

    def photographs(self, count: int) -> list[Path]:
        """At most so many target frames, evenly spaced: of validation, or of training where a set has no others."""
        return spaced(self.y_files or self.data.domains.y_val or self.data.domains.y_train, count)

    def transferred(self, path: Path) -> Tensor:
        """A source frame with the colours of a training photograph, the same one as in the scores: [3, H, W]."""
        return self.data.untrained.transferred(self._read(path), self.x_files.index(path))

    @cached_property
    def masks(self) -> ScoredMasks:
        """What is kept out of the scores."""
        return ScoredMasks(self.data.masks, self.x_files, self.y_files)

    def score(self, network: nn.Module, output: Path | None = None, per_image: Path | None = None) -> dict[str, float]:
        """Scores of G(x) against the real frames, on the network's device.

        Args:
            network: G.
            output: folder where the translated frames are kept, if given.
            per_image: CSV with a line for each of them, if given.
        """
        where = next(network.parameters()).device
        if self._scores is None:
            deque(self._translated(network, output) if output is not None else (), maxlen=0)
            return {}
        count = len(self.x_files)
        images = self.scores.gather(self._translated(network, output), count, where)
        real = self._real(where)
        found = self.scores(images, real, where)
        if per_image is not None and rank() == 0:
            write_per_image(per_image, self._file_names(), self.scores.per_image(images, real, where))
        return found

    def references(self, where: torch.device) -> dict[str, float]:
        """The same scores for what learns nothing.

        `*_source`: untranslated; `*_transfer`: each frame with the colours of a training photograph (Reinhard);
        `*_aligned`: with those of all of them, as `generator.align` does; `*_floor`: real against real, which needs
        two sets of two images, and is left out below four real ones.
        """
        if self._scores is None:
            return {}
        real = self._real(where)
        of_places = f"{self.data.files} {len(self.x_files)}"  # a frame's photograph follows from its place in the set
        sets = {
            "source": self._gather("source", self.x_files, where),
            "transfer": self._gather("transfer", self.x_files, where, self.transferred, of_places),
            "aligned": self._gather("aligned", self.x_files, where, self._aligned, self.data.files),
        }
        references = {
            f"{name}_{suffix}": value
            for suffix, images in sets.items()
            for name, value in self.scores.again(images, real, where).items()
        }
        if len(real) >= LEAST:
            values = floor(self.scores, real, stretches(self.y_files), self._counts(), where)
            references |= {f"{name}_floor": value for name, value in values.items()}
        return references

    def own_size(self, network: nn.Module) -> dict[str, float]:
        """Sharpness of G(x) and of x over that of real frames, all at the size of their files; a few of each.

        Computed by the first rank and given to all; nothing where nothing is scored.
        """
        if self._scores is None:
            return {}
        return from_first(lambda: self._own_size(network), next(network.parameters()).device)

    def _own_size(self, network: nn.Module) -> dict[str, float]:
        parameter = next(network.parameters())
        found: dict[str, list[Tensor]] = {"output": [], "source": [], "real": []}
        for path in spaced(self.x_files, OWN):
            source = to_tensor(read_image(path, self.white))
            output = translate_images(network, source[None].to(parameter.device, parameter.dtype))[0]
            found["output"].append(laplacian_deviation(to_bytes(self.masks(output, path))).cpu())
            found["source"].append(laplacian_deviation(to_bytes(self.masks(source, path))))
        for path in spaced(self.y_files, OWN):
            real = self.masks(to_tensor(read_image(path, self.white)), path)
            found["real"].append(laplacian_deviation(to_bytes(real)))
        mean = {name: float(torch.stack(values).mean()) for name, values in found.items()}
        return {f"sharpness_own{of}": mean[name] / mean["real"] for of, name in (("", "output"), ("_source", "source"))}

    def protocol(self) -> dict[str, object]:
        """How the scores were computed."""
        frames = f"whole, resized to training size by data.fit={self.transforms.fit}, antialiased"
        if self._scores is None:
            return {"scores": "none, as metrics.scores=null asked", "frames": frames}
        return {
            **self.scores.protocol(len(self.x_files), len(self.y_files)),
            "floor": described(self._counts()),
            "transfer": "Reinhard, in L*a*b*, the colours of a random training photograph a frame",
            "aligned": "mean and covariance of RGB, of the training sets, pressed into the range",
            "sharpness_own": f"of at most {OWN} frames a domain, evenly spaced, at the files' own size",
            "frames": frames,
            "frame_size": self.transforms.whole_sizes(map(image_size, [*self.x_files, *self.y_files])),
            "white": self.white,
            **self.masks.protocol(),
        }

    def _counts(self) -> tuple[int, int]:
        return len(self.x_files), len(self.y_files)

    def _read(self, path: Path) -> Tensor:
        with shared_failure():  # ranks read as many frames, one after the other
            return self.transforms.validation(read_image(path, self.white))

    def _aligned(self, path: Path) -> Tensor:
        return self.data.untrained.aligned(self._read(path))

    def _real(self, where: torch.device) -> ImageSet:
        return self._gather("real", self.y_files, where)

    def _gather(
        self,
        name: str,
        files: Sequence[Path],
        where: torch.device,
        read: Callable[[Path], Tensor] | None = None,
        further: str = "",
    ) -> ImageSet:
        """A set that the next job has too; `further` says what `read` depends on beside the file."""
        if name not in self._gathered:
            how = " ".join(map(str, (*self.transforms.sizing, reading(self.white), name if read else "", further)))
            how += self.masks.preparation()
            gather, image = self.scores.gather_files, lambda path: self.masks((read or self._read)(path), path)
            self._gathered[name] = gather(files, image, where, name=name, preparation=how)
        return self._gathered[name]

    @torch.no_grad()
    def _translated(self, network: nn.Module, output: Path | None) -> Iterator[Tensor]:
        """G(x) of this rank's share of the frames, as 8-bit files hold it, without what is ignored: [3, H, W]."""
        names = self._file_names()
        own = share(len(names))
        for step, index in enumerate(tqdm(own, desc="translating", leave=False, disable=rank() > 0)):
            image = network(as_input(self._read(self.x_files[index]), network))[0]
            if output is not None:
                # the first rank alone writes; a frame that fills up a share comes again and is written once
                for shift, pixels in enumerate(to_first(to_pixels(image))):
                    position = step * ranks() + shift
                    if position < len(names):
                        path = output / _kept(Path(names[position]))
                        path.parent.mkdir(parents=True, exist_ok=True)
                        write_image(path, pixels)
            yield self.masks(to_tensor(to_pixels(image)).to(image.device), self.x_files[index])

    def _file_names(self) -> list[str]:
        parents = commonpath([path.parent for path in self.x_files])
        return [str(path.relative_to(parents)) for path in self.x_files]


def _kept(name: Path) -> Path:
    """Where a frame's output is kept, whatever the format of its source."""
    return name.with_suffix(".png")


def as_input(image_3HW: Tensor, network: nn.Module) -> Tensor:
    """A batch of one, [1, 3, H, W], on the device and in the precision of the network."""
    parameter = next(network.parameters())
    return image_3HW[None].to(parameter.device, parameter.dtype)
