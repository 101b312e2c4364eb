"""The masks of validation frames: what no score sees of them, and where no place of a panel lies."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from src.data.fingerprint import fingerprint
from src.data.ignore import IgnoreMasks


class ScoredMasks:
    """Sets ignored pixels of frames to 0, mid grey: those of the frame's own mask and of a frame of the other domain.

    Both sets lose the same shapes in this way; a mask that one of them alone has would else be scored itself.

    Args:
        masks: by domain, x or y.
        x_files: frames of x.
        y_files: frames of y; none where nothing is scored.
    """

    def __init__(self, masks: Mapping[str, IgnoreMasks], x_files: Sequence[Path], y_files: Sequence[Path]) -> None:
        self._masks = masks
        self._files = {"x": x_files, "y": y_files}

    def __call__(self, image_3HW: Tensor, frame: Path) -> Tensor:
        """An image of a frame, at any size of the frame's aspect, without what is ignored; itself without masks."""
        for domain, masks in self._masks.items():
            if (other := self._counterpart(frame, domain)) is not None:
                image_3HW = image_3HW.masked_fill(_at(masks, other, image_3HW), 0)
        return image_3HW

    def source(self, frame: Path, image_3HW: Tensor) -> Tensor | None:
        """The own mask of a frame of x for an image of it, bool [1, 1, H, W]; None if x has none."""
        masks = self._masks.get("x")
        return None if masks is None else _at(masks, frame, image_3HW)[None, None]

    def preparation(self) -> str:
        """What of it changes an image, for what is kept of its features; nothing without masks."""
        if not self._masks:
            return ""
        read = [mask for domain, masks in self._masks.items() for mask in masks.files(self._files[domain])]
        return f" ignored {fingerprint([*self._files['x'], *self._files['y']], read=read)}"

    def protocol(self) -> dict[str, str]:
        """What scores say of it."""
        if not self._masks:
            return {}
        return {
            "ignored": f"masks of {' and '.join(self._masks)}: mid grey in outputs, source, references and real "
            "frames, in each the pixels of its own mask and of one of the other domain"
        }

    def _counterpart(self, frame: Path, domain: str) -> Path | None:
        """The frame itself in its own domain, else the one at the same share of the way."""
        files, others = self._files[domain], self._files["y" if domain == "x" else "x"]
        if frame in files:
            return frame
        return files[others.index(frame) * len(files) // len(others)] if files else None


def _at(masks: IgnoreMasks, frame: Path, image_3HW: Tensor) -> Tensor:
    return torch.from_numpy(masks.at(frame, (image_3HW.shape[1], image_3HW.shape[2]))).to(image_3HW.device)
