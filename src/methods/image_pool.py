"""The history of outputs a discriminator is shown (Shrivastava et al. 2017, Sec. 2.3; CycleGAN, Sec. 4)."""

from typing import Any

import torch
from torch import Tensor, nn

from src.networks import noise
from src.system.ranks import of_all, rank, ranks


class ImagePool(nn.Module):
    """Keeps the first `size` images; later ones are exchanged, with probability 1/2, for a random one it keeps.

    A batch goes through image by image. Which image is exchanged for which follows from the sample's key, and nothing
    is read back from the device. Several processes keep one pool in common: each sees the images of all, in the order
    of the joint batch, in which rank r of w holds every w-th image from r on.

    Its images are part of a checkpoint, but not buffers, which DDP would send around at every step.

    Args:
        size: images kept; 0 shows every image as it comes.
        stream: sets the draws of this pool apart from those of others.
    """

    def __init__(self, size: int, *, stream: int) -> None:
        super().__init__()
        if size < 0:
            raise ValueError(f"pool must be >= 0, got {size}")
        self.size = size
        self.stream = stream
        self.images = torch.empty(0)

    @property
    def full(self) -> bool:
        """Whether it holds as many images as it ever will."""
        return len(self.images) == self.size

    @torch.no_grad()
    def forward(self, image_B3HW: Tensor, key_B: Tensor) -> Tensor:
        """What D is shown instead of the new images: [B, 3, H, W] without graph; the pool moves on."""
        image_B3HW = image_B3HW.detach()
        if self.size == 0:
            return image_B3HW
        self.images = self.images.to(image_B3HW) if len(self.images) else image_B3HW[:0]
        images, keys = of_all(image_B3HW), of_all(key_B)
        shown = torch.cat([self._exchange(*pair) for pair in zip(images.split(1), keys.split(1), strict=True)])
        return shown[rank() :: ranks()]

    def _exchange(self, image_13HW: Tensor, key_1: Tensor) -> Tensor:
        if len(self.images) < self.size:
            self.images = torch.cat([self.images, image_13HW])
            return image_13HW
        chance_1, place_1 = noise.uniform(key_1, 2, self.stream).unbind(1)
        # a draw next to 1 may round up to `size`
        slot_1 = (place_1 * self.size).long().clamp(max=self.size - 1)
        old_13HW = self.images.index_select(0, slot_1)
        exchange_1 = chance_1 < 0.5
        self.images.index_copy_(0, slot_1, torch.where(exchange_1, image_13HW, old_13HW))
        return torch.where(exchange_1, old_13HW, image_13HW)

    def get_extra_state(self) -> dict[str, Tensor]:
        """The images kept so far."""
        return {"images": self.images}

    def set_extra_state(self, state: Any) -> None:
        """Take them up again; the first batch brings them to its device."""
        # a copy: the pool writes in place, and the state stays the caller's
        self.images = state["images"].clone()
