"""From frames of any size to training images and whole validation frames."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from src.data.images import Pixels
from src.data.transforms import Fit, Transforms, resize, to_pixels, to_tensor
from src.system.errors import UserError


def frame(height: int, width: int) -> Pixels:
    """Red grows to the right, green downwards."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([columns * 255 // (width - 1), rows * 255 // (height - 1), rows * 0], axis=2).astype(np.uint8)


def transforms(fit: Fit = "cover", load_scale: float = 1.0, flip: bool = False, aspect: float = 1.0) -> Transforms:
    return Transforms(size=64, aspect=aspect, fit=fit, load_scale=load_scale, flip=flip)


def train(maker: Transforms, pixels: Pixels, seed: int = 0) -> Tensor:
    return maker.train(maker.to_size(pixels), maker.to_size(pixels), np.random.default_rng(seed))[0]


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
        ("width", (563, 1024), (64, 116)),  # 36x64 would be smaller than the training image
        ("width", (1024, 563), (116, 64)),
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


@pytest.mark.parametrize("fit", ["cover", "stretch", "width"])
@pytest.mark.parametrize(
    ("shape", "aspect", "load_scale", "load"),
    [
        ((300, 257), 1.0, 1.1172, None),
        ((300, 400), 1.75, 1.0, None),
        ((300, 400), 1.75, 1.2, None),
        ((1052, 1914), 1.0, 1.0, 512),
        ((90, 61), 1.3, 2.0, 300),
    ],
)
def test_validation_is_at_trainings_scale_without_the_jitter(
    fit: Fit, shape: tuple[int, int], aspect: float, load_scale: float, load: int | None
):
    if fit == "width" and load is not None:
        return  # refused, see below
    maker = Transforms(size=256, aspect=aspect, fit=fit, load_scale=load_scale, flip=False, load=load)
    jitter = 1.0 if fit == "width" else load_scale
    training, validation = maker.to_size(frame(*shape)), maker.validation(frame(*shape))
    for trained, validated in zip(training.shape[:2], validation.shape[1:], strict=True):
        assert abs(trained / jitter - validated) <= 2.5  # a pixel of rounding there, half of four here


def test_a_portrait_frame_is_validated_at_the_scale_it_is_trained_at():
    maker = Transforms(size=256, aspect=1.0, fit="cover", load_scale=1.1172, flip=False)
    assert tuple(maker.validation(frame(300, 257)).shape[1:]) == (300, 256)


def test_crops_are_pieces_of_the_frame_at_its_loading_height():
    maker = Transforms(size=64, aspect=1.0, fit="cover", load_scale=1.0, flip=False, load=256)
    source = frame(256, 431)
    for seed in range(20):
        image = to_pixels(train(maker, source, seed))
        top = int(np.argmin(np.abs(source[:, 0, 1].astype(int) - int(image[0, 0, 1]))))
        assert abs(int(image[-1, 0, 1]) - int(source[top + 63, 0, 1])) <= 1
    assert tuple(maker.validation(source).shape[1:]) == (256, 432)


@pytest.mark.parametrize("apart", [0.0, 0.2])
def test_crops_of_x_and_y_lie_at_like_heights(apart: float):
    maker = Transforms(size=64, aspect=1.0, fit="cover", load_scale=1.0, flip=True, load=256, like_places=apart)
    x, y = frame(256, 431), frame(256, 341)
    heights = []
    for seed in range(200):
        pair = maker.train(x, y, np.random.default_rng(seed))
        # green is the row, from 0 to 255
        heights.append([int(to_pixels(image)[0, 0, 1]) / 192 for image in pair])
    tops, others = np.array(heights).T
    assert np.abs(tops - others).max() <= apart + 0.01
    assert np.abs(tops - others).max() >= 0.9 * apart
    assert tops.min() < 0.05
    assert tops.max() > 0.95
    assert abs(np.corrcoef(tops, others)[0, 1]) > 0.9
    independent = Transforms(size=64, aspect=1.0, fit="cover", load_scale=1.0, flip=True, load=256)
    pairs = [independent.train(x, y, np.random.default_rng(seed)) for seed in range(200)]
    free = np.array([[float(image[1, 0, 0]) for image in pair] for pair in pairs])
    assert abs(np.corrcoef(free.T)[0, 1]) < 0.25  # 3.5 deviations of 200 independent pairs


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"load": 128}, r"data\.load must lie in \[data\.size, 8192\], got 128 with data\.size=256"),
        ({"load": 512, "fit": "width"}, r"data\.load: data\.fit=width brings frames to a width"),
        ({"like_places": 1.5}, r"data\.like_places is a share and must lie in \[0, 1\], got 1\.5"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, object], message: str):
    own = {"size": 256, "aspect": 1.0, "fit": "cover", "load_scale": 1.0, "flip": False, **settings}
    with pytest.raises(UserError, match=message):
        Transforms(**own)  # type: ignore[arg-type]
