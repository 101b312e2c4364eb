"""From frames of any size to training images and whole validation frames."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from src.data.images import Pixels
from src.data.transforms import Fit, Transforms, resize, to_pixels, to_tensor


def frame(height: int, width: int) -> Pixels:
    """Red grows to the right, green downwards."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([columns * 255 // (width - 1), rows * 255 // (height - 1), rows * 0], axis=2).astype(np.uint8)


def transforms(fit: Fit = "cover", load_scale: float = 1.0, flip: bool = False, aspect: float = 1.0) -> Transforms:
    return Transforms(size=64, aspect=aspect, fit=fit, load_scale=load_scale, flip=flip)


def train(maker: Transforms, pixels: Pixels, seed: int = 0) -> Tensor:
    return maker.train(maker.to_size(pixels), np.random.default_rng(seed))


@pytest.mark.parametrize("fit", ["cover", "stretch", "width"])
@pytest.mark.parametrize("shape", [(100, 100), (526, 957), (90, 61), (64, 64), (1052, 1914), (40, 200), (33, 33)])
def test_every_frame_becomes_a_training_image(fit: Fit, shape: tuple[int, int]):
    image = train(transforms(fit, load_scale=2.0), frame(*shape))
    assert image.shape == (3, 64, 64)
    assert image.dtype == torch.float32
    assert -1 <= float(image.min()) < float(image.max()) <= 1


def test_cover_without_jitter_keeps_the_whole_height():
    green = train(transforms("cover"), frame(128, 256))[1]
    assert float(green[0].max()) < -0.95
    assert float(green[-1].min()) > 0.95


def test_stretch_keeps_the_whole_frame():
    red = train(transforms("stretch"), frame(128, 256))[0]
    assert float(red[:, 0].max()) < -0.95
    assert float(red[:, -1].min()) > 0.95


def test_half_of_the_images_are_mirrored_independently_of_the_crop():
    maker = transforms("cover", load_scale=1.5, flip=True)
    mirrored, offsets = [], []
    for seed in range(400):
        image = train(maker, frame(96, 96), seed)
        mirrored.append(float(image[0, 0, 0] > image[0, 0, -1]))
        offsets.append(float(image[1, 0, 0]))
    assert abs(np.mean(mirrored) - 0.5) < 0.1  # 4 deviations of a fair coin
    assert abs(np.corrcoef(mirrored, offsets)[0, 1]) < 0.2


@pytest.mark.parametrize(
    ("fit", "shape", "expected"),
    [
        ("cover", (256, 431), (64, 108)),
        ("cover", (256, 341), (64, 84)),
        ("stretch", (256, 431), (64, 64)),
        ("width", (563, 1024), (36, 64)),
    ],
)
def test_validation_takes_the_whole_frame(fit: Fit, shape: tuple[int, int], expected: tuple[int, int]):
    image = transforms(fit).validation(frame(*shape))
    assert tuple(image.shape[1:]) == expected
    assert float(image[0, :, 0].max()) < -0.9
    assert float(image[0, :, -1].min()) > 0.9


def test_aspect_is_rounded_to_a_multiple_of_four():
    maker = transforms(aspect=1.3125)
    assert (maker.height, maker.width) == (64, 84)


def test_shrinking_is_antialiased_as_pillows_box_filter():
    pixels = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(pixels).resize((40, 30), Image.Resampling.BOX), dtype=int)
    assert np.abs(resize(pixels, (30, 40)).astype(int) - expected).max() <= 1


def test_pixels_survive_the_way_to_a_tensor_and_back():
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    np.testing.assert_array_equal(to_pixels(to_tensor(pixels)), pixels)
