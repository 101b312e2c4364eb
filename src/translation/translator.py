"""A trained translator for images in memory: what src.translate does to files, from Python."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from src.data.images import Pixels, as_seen
from src.data.sixteen_bits import has_sixteen_bits
from src.system.errors import UserError
from src.translation.any_size import MEMORY_LIMIT, translate_images
from src.translation.frames import translate_frames
from src.translation.weights import load

Picture = Image.Image | Pixels


class Translator:
    """G, of a run or a file of weights; images of any size in, the same kind and size out.

    A translator paints best at the height it was trained at, and worse the farther from it.

    Args:
        network: x -> y, in evaluation mode.
        height: in pixels of the frames it was trained on; None if that is not known.
        memory_limit: GiB the computation of an image may take; above it, in strips of rows with the same result.
    """

    def __init__(self, network: nn.Module, height: int | None = None, *, memory_limit: float = MEMORY_LIMIT) -> None:
        self.network = network
        self.height = height
        self.memory_limit = memory_limit
        self.device = torch.device("cpu")

    @classmethod
    def load(cls, run_or_weights: str | Path) -> Self:
        """From whatever src.translate takes as run= or weights=; of a run its averaged weights. On the CPU.

        Args:
            run_or_weights: the folder of a finished run; a .safetensors, .onnx or .pt of src.export; a latest_net_G.pth
                of the released CUT or CycleGAN code; or hf://user/name[@revision][/file.safetensors].

        Raises UserError, a ValueError, in one line if it holds no translator.
        """
        named = str(run_or_weights)
        run, weights = (named, None) if Path(named).is_dir() else (None, named)
        network = load.translator(run, weights, average=True, accelerator="auto")
        return cls(network, load.training_height(run, weights))

    def to(self, device: str | torch.device) -> Self:
        """The same translator, which computes on a device from now on; ONNX Runtime goes on on the CPU."""
        self.device = torch.device(device)
        self.network.to(self.device)
        return self

    @overload
    def translate(self, images: Image.Image) -> Image.Image: ...
    @overload
    def translate(self, images: Pixels) -> Pixels: ...
    @overload
    def translate(self, images: Tensor) -> Tensor: ...
    @overload
    def translate(self, images: Sequence[Picture]) -> list[Picture]: ...
    def translate(self, images: Picture | Tensor | Sequence[Picture]) -> Picture | Tensor | list[Picture]:
        """G(x) of the same kind and size.

        Args:
            images: an image of Pillow, read as src.translate reads its file (upright, sRGB, without alpha) and given
                back as RGB; pixels, uint8 [H, W, 3], RGB; a list of these, of any sizes; or a batch, float
                [B, 3, H, W], RGB in [-1, 1], given back on its own device and in its own precision, without graph.

        Raises UserError, a ValueError, for anything else, and for an image that needs more than the memory limit.
        """
        if isinstance(images, Tensor):
            return self._batch(images)
        if isinstance(images, list | tuple):
            return [self._one(image) for image in images]
        return self._one(images)  # type: ignore[arg-type]

    def _one(self, image: Picture) -> Picture:
        if isinstance(image, Image.Image):
            if has_sixteen_bits(image) or image.mode == "F":
                raise UserError(f"an image of mode {image.mode}: what is white in it? Bring it to 8 bits first")
            return Image.fromarray(self._pixels(as_seen(image, image.info.get("icc_profile"))))
        if not isinstance(image, np.ndarray):
            raise UserError(
                f"an image must be one of Pillow, a uint8 array [H, W, 3] or a tensor, got {type(image).__name__}"
            )
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise UserError(f"pixels must be uint8 [H, W, 3], got {image.dtype} {list(image.shape)}")
        return self._pixels(image)

    def _pixels(self, pixels: Pixels) -> Pixels:
        (output,) = translate_frames(self.network, [np.ascontiguousarray(pixels)], self.device, self.memory_limit)
        return output

    def _batch(self, images_B3HW: Tensor) -> Tensor:
        shape = list(images_B3HW.shape)
        if not images_B3HW.is_floating_point() or len(shape) != 4 or shape[1] != 3 or 0 in shape:
            raise UserError(f"a batch must be float [B, 3, H, W], got {images_B3HW.dtype} {shape}")
        if not images_B3HW.detach().abs().max() <= 1:  # NaN too
            raise UserError("a batch must lie in [-1, 1]; pixels / 127.5 - 1 brings 8 bits there")
        inside = images_B3HW.detach().to(self.device, torch.float32)
        output = translate_images(self.network, inside, self.memory_limit).to(images_B3HW.device, images_B3HW.dtype)
        return output.clone()  # of inference mode it would be refused by a later training
