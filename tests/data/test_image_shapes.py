"""Images of any shape and kind, through the data a run trains and validates on."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from src.data.images import THINNEST, image_size, read_image
from src.data.layouts import Domains
from src.data.transforms import Transforms
from src.data.unpaired import UnpairedImages
from src.system.errors import UserError

# modes a PNG, JPEG or WebP can hold, with the bits of a channel
KINDS = [
    *(("png", mode, 8) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")),
    ("png", "I;16", 16),
    *(("jpg", mode, 8) for mode in ("L", "RGB", "CMYK")),
    *(("webp", mode, 8) for mode in ("RGB", "RGBA")),
]
sides = st.integers(1, 70) | st.integers(1, 1500)


def noise(mode: str, bits: int, width: int, height: int, seed: int) -> NDArray[np.integer]:
    """Coarse; its values fill the range of the mode. [H, W, channels]."""
    channels = len(Image.new("RGB" if mode == "I;16" else mode, (1, 1)).getbands())
    coarse = np.random.default_rng(seed).integers(0, 2**bits, (5, 7, channels))
    return coarse[np.arange(height) * 5 // height][:, np.arange(width) * 7 // width]


def picture(mode: str, bits: int, values: NDArray[np.integer]) -> Image.Image:
    if bits == 16:
        return Image.fromarray(values[:, :, 0].astype(np.uint16))
    if mode in ("1", "P"):
        return Image.fromarray(values[:, :, 0].astype(np.uint8)).convert(mode)
    return Image.frombytes(mode, values.shape[1::-1], values.astype(np.uint8).tobytes())


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(KINDS),
    width=sides,
    height=sides,
    fit=st.sampled_from(["cover", "stretch", "width"]),
    aspect=st.sampled_from([0.5, 1.0, 1.75]),
    load_scale=st.sampled_from([1.0, 1.2]),
    seed=st.integers(0, 3),
)
def test_every_image_becomes_a_training_and_a_validation_image_or_is_refused(
    kind: tuple[str, str, int], width: int, height: int, fit: str, aspect: float, load_scale: float, seed: int
):
    suffix, mode, bits = kind
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"image.{suffix}"
        values = noise(mode, bits, width, height, seed)
        picture(mode, bits, values).save(path)
        transforms = Transforms(size=32, aspect=aspect, fit=fit, load_scale=load_scale, flip=True)
        other = path.with_name(f"other.{suffix}")  # the same picture: no file may be in two parts of a set
        other.write_bytes(path.read_bytes())
        domains = Domains([path], [other], [path.with_name("x_val")], [path.with_name("y_val")])
        images = UnpairedImages(domains, transforms, samples=1, seed=seed)
        if max(width, height) > THINNEST * min(width, height):
            for look in (lambda: images[0, 0], lambda: read_image(path), lambda: image_size(path)):
                with pytest.raises(UserError, match=f"is {width}x{height}, one side over {THINNEST} times the other"):
                    look()
            return
        assert image_size(path) == (width, height)
        pixels = read_image(path)
        assert pixels.dtype == np.uint8
        assert pixels.shape == (height, width, 3)
        drawn = images[0, 0]["x"]
        whole = transforms.validation(pixels)
        assert drawn.shape == (3, 32, transforms.width)
        assert whole.shape[0] == 3
        assert not any(side % 4 for side in whole.shape[1:])
        for image in (drawn, whole):
            assert image.dtype == torch.float32
            assert image.min() >= -1
            assert image.max() <= 1
        if (suffix, mode) in (("png", "L"), ("png", "LA"), ("png", "RGB"), ("png", "RGBA")):
            channels = values[:, :, :3] if mode.startswith("RGB") else values[:, :, :1].repeat(3, axis=2)
            np.testing.assert_array_equal(pixels, channels)
