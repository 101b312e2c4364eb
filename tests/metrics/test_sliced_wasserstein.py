"""Sliced Wasserstein distance, piece by piece against scipy, and as a whole against a naive computation."""

from math import sqrt

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.stats import wasserstein_distance
from torch import Tensor

from src.metrics.sliced_wasserstein import (
    CHUNK,
    DIRECTIONS,
    PATCH,
    PATCHES,
    Distance,
    _pyramid,
    _sorted_projection,
    blur,
    enlarge,
    laplacian_pyramid,
    normalise,
    patches,
    sliced_wasserstein,
)

BINOMIAL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256


def images(count: int = 3, size: int | tuple[int, int] = 32, seed: int = 0) -> Tensor:
    height, width = (size, size) if isinstance(size, int) else size
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 255


def swd(x: Tensor, y: Tensor, *, seed: int) -> Distance:
    (distance,) = sliced_wasserstein(x, y, seeds=[seed])
    return distance


def smooth(count: int, size: int, seed: int) -> Tensor:
    """Of another distribution than `images`: neighbouring pixels alike."""
    return blur(blur(blur(images(count, size, seed))))


def naive_blur(plane: np.ndarray) -> np.ndarray:
    return ndimage.correlate(plane, BINOMIAL, mode="mirror")  # scipy's mirror does not repeat the edge


def naive_enlarge(plane: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    out = np.zeros(shape)
    for row, column in np.ndindex(*plane.shape):
        out[2 * row, 2 * column] = plane[row, column]
    return 4 * naive_blur(out)


def planes(function, batch: Tensor) -> np.ndarray:
    return np.array([[function(plane) for plane in image] for image in batch.double().numpy()])


# Pyramid ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(16, 16), (17, 23), (5, 9)])
def test_blur_is_a_binomial_filter_with_mirrored_borders(size):
    x = images(2, size).double()
    np.testing.assert_allclose(blur(x).numpy(), planes(naive_blur, x), atol=1e-10)  # float64, values to 255


@pytest.mark.parametrize(("small", "large"), [((8, 8), (16, 16)), ((9, 12), (17, 24)), ((9, 12), (18, 23))])
def test_enlarging_inserts_zeros_and_blurs_them_away(small, large):
    x = images(2, small).double()
    expected = planes(lambda plane: naive_enlarge(plane, large), x)
    np.testing.assert_allclose(enlarge(x, torch.Size(large)).numpy(), expected, atol=1e-10)


def test_enlarging_keeps_a_constant_away_from_the_borders():
    large = enlarge(torch.full((1, 3, 8, 8), 7.0), torch.Size((16, 16)))
    torch.testing.assert_close(large[..., 2:-2, 2:-2], torch.full((1, 3, 12, 12), 7.0), atol=1e-5, rtol=0)


@pytest.mark.parametrize("count", [CHUNK - 1, 2 * CHUNK, 2 * CHUNK + 3])
def test_a_few_images_at_a_time_make_the_pyramid_of_all(count: int):
    x = images(count, 32)
    for found, expected in zip(_pyramid(x), laplacian_pyramid(x), strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("size", "levels"),
    [
        ((16, 16), [(16, 16)]),
        ((31, 31), [(31, 31)]),
        ((32, 32), [(32, 32), (16, 16)]),
        ((33, 40), [(33, 40), (17, 20)]),
        ((63, 63), [(63, 63), (32, 32), (16, 16)]),
        ((128, 128), [(128, 128), (64, 64), (32, 32), (16, 16)]),
        ((40, 200), [(40, 200), (20, 100)]),
    ],
)
def test_levels_are_halved_down_to_16_pixels(size, levels):
    assert [tuple(level.shape[-2:]) for level in laplacian_pyramid(images(1, size))] == levels


@pytest.mark.parametrize("size", [64, 77])
def test_the_pyramid_adds_up_to_the_image(size):
    x = images(2, size)
    *bands, current = laplacian_pyramid(x)
    for band in reversed(bands):
        current = band + enlarge(current, band.shape[-2:])
    torch.testing.assert_close(current, x, atol=1e-3, rtol=0)  # float32 at values to 255


def test_levels_are_differences_of_a_gaussian_pyramid():
    x = images(1, 64)
    first, second, last = laplacian_pyramid(x)
    middle = planes(naive_blur, x)[..., ::2, ::2]
    lowest = np.array([[naive_blur(plane) for plane in image] for image in middle])[..., ::2, ::2]
    up = [[naive_enlarge(plane, (64, 64)) for plane in image] for image in middle]
    up_lowest = [[naive_enlarge(plane, (32, 32)) for plane in image] for image in lowest]
    for level, expected in ((first, x.numpy() - up), (second, middle - up_lowest), (last, lowest)):
        np.testing.assert_allclose(level.numpy(), expected, atol=1e-3)  # float32 at values to 255


# Patches ---------------------------------------------------------------------------------------------------------


def test_patches_are_windows_of_their_image_with_channels_kept_together():
    height, width = 9, 12
    # the value of a pixel tells its image, channel, row and column
    x = torch.arange(2 * 3 * height * width).reshape(2, 3, height, width).float()
    taken = patches(x, torch.Generator().manual_seed(0))
    assert taken.shape == (2 * PATCHES, 3, PATCH, PATCH)
    corners = set()
    for number, patch in enumerate(taken):
        image, place = divmod(int(patch[0, 0, 0]), 3 * height * width)
        row, column = divmod(place, width)
        assert image == number // PATCHES
        assert patch.equal(x[image, :, row : row + PATCH, column : column + PATCH])
        corners.add((row, column))
    assert corners == {(r, c) for r in range(height - PATCH + 1) for c in range(width - PATCH + 1)}


def test_patch_places_differ_between_images():
    x = torch.arange(20.0 * 20).expand(2, 3, -1).reshape(2, 3, 20, 20)
    taken = patches(x, torch.Generator().manual_seed(0)).unflatten(0, (2, PATCHES))
    assert not taken[0].equal(taken[1])


def test_normalised_patches_have_no_mean_and_unit_deviation_by_channel():
    x = images(5, PATCH).double() * torch.tensor([1.0, 10.0, 0.1])[None, :, None, None] + 3
    expected = np.empty((5, 3, PATCH, PATCH))
    for c in range(3):
        channel = x[:, c].numpy()
        expected[:, c] = (channel - channel.mean()) / channel.std()
    np.testing.assert_allclose(normalise(x).numpy(), expected.reshape(5, -1), atol=1e-12)


def test_a_constant_channel_normalises_to_zero():
    assert (normalise(torch.full((5, 3, PATCH, PATCH), 8.0)) == 0).all()


# Distance --------------------------------------------------------------------------------------------------------


def test_sorted_differences_are_the_wasserstein_distance_of_each_projection():
    draws = torch.Generator().manual_seed(0)
    x, y, direction = (torch.randn(*shape, generator=draws).double() for shape in ((40, 147), (40, 147), (147, 8)))
    distance = (_sorted_projection(x, direction) - _sorted_projection(y + 0.2, direction)).abs().mean(1)
    for k in range(8):
        u, v = (x @ direction[:, k]).numpy(), ((y + 0.2) @ direction[:, k]).numpy()
        assert float(distance[k]) == pytest.approx(wasserstein_distance(u, v), abs=1e-10)


def naive_patches(level: np.ndarray, draws: torch.Generator) -> np.ndarray:
    count, _, height, width = level.shape
    rows = torch.randint(height - PATCH + 1, (count, PATCHES), generator=draws).tolist()
    columns = torch.randint(width - PATCH + 1, (count, PATCHES), generator=draws).tolist()
    taken = [
        level[n, :, rows[n][i] : rows[n][i] + PATCH, columns[n][i] : columns[n][i] + PATCH]
        for n in range(count)
        for i in range(PATCHES)
    ]
    out = np.stack(taken)
    for c in range(3):
        out[:, c] = (out[:, c] - out[:, c].mean()) / out[:, c].std()
    return out.reshape(len(out), -1)


def naive_pyramid(batch: Tensor) -> list[np.ndarray]:
    current, levels = batch.double().numpy(), []
    while min(current.shape[2:]) >= 32:
        lower = np.array([[naive_blur(p) for p in image] for image in current])[..., ::2, ::2]
        levels.append(current - [[naive_enlarge(p, current.shape[2:]) for p in image] for image in lower])
        current = lower
    return [*levels, current]


@pytest.mark.parametrize("size", [16, 33, (32, 48)])
def test_the_distance_equals_a_naive_computation_from_the_same_draws(size):
    x, y, seed = images(2, size), images(2, size, seed=1) ** 1.1, 5
    draws = torch.Generator().manual_seed(seed)
    unit, std = [], []
    for x_level, y_level in zip(naive_pyramid(x), naive_pyramid(y), strict=True):
        # one sequence of draws: places in x, places in y, directions, level by level
        u, v = naive_patches(x_level, draws), naive_patches(y_level, draws)
        direction = torch.randn(PATCH * PATCH * 3, DIRECTIONS, generator=draws).double().numpy()
        for axis in direction.T:
            distance = wasserstein_distance(u @ axis, v @ axis)
            unit.append(1000 * distance / np.linalg.norm(axis))
            std.append(1000 * distance / np.std(axis))
    found = swd(x, y, seed=seed)
    # every level has as many directions, so the mean of means is the mean; the code computes in float32
    assert found.unit == pytest.approx(np.mean(unit), rel=1e-4)
    assert found.std == pytest.approx(np.mean(std), rel=1e-4)


def test_the_two_scales_differ_by_the_length_of_a_standard_normal_direction():
    found = swd(images(), images(seed=1), seed=0)
    # |d| / std(d) = sqrt(147 / (1 - 147 mean^2 / |d|^2)): 0.3 % above sqrt(147) on average
    assert found.std / found.unit == pytest.approx(sqrt(147), rel=0.01)


def test_a_set_is_near_itself_but_not_at_zero():
    # places are drawn anew for the second set: even the same images give different patches
    x = images(16)
    itself, other = swd(x, x, seed=0), swd(x, smooth(16, 32, 1), seed=0)
    assert 0 < itself.unit < other.unit / 2
    assert 0 < itself.std < other.std / 2


def test_images_whose_patches_are_all_alike_are_at_distance_zero():
    x = torch.full((2, 3, 16, 16), 90.0)
    found = swd(x, x + 50, seed=0)
    assert (found.unit, found.std) == (0, 0)


def test_the_floor_falls_with_the_number_of_images():
    few, many = (swd(images(n), images(n, seed=1), seed=0).unit for n in (2, 32))
    # patches of one image overlap, so the fall is that of the square root of n in trend alone
    assert many < 0.5 * few


def test_unit_and_offset_of_the_images_are_irrelevant():
    x, y = images(), smooth(3, 32, 1)
    found, expected = (swd(x / s - o, y / s - o, seed=0) for s, o in ((127.5, 1), (1, 0)))
    assert found.unit == pytest.approx(expected.unit, rel=1e-3)  # float32 around another offset


def test_the_same_seed_gives_the_same_number_and_another_another():
    x, y = images(), images(seed=1)
    first = swd(x, y, seed=3)
    torch.rand(1)
    assert swd(x, y, seed=3) == first
    assert swd(x, y, seed=4) != first
    assert sliced_wasserstein(x, y, seeds=range(3, 5)) == [first, swd(x, y, seed=4)]


def test_neither_the_images_nor_the_global_generator_are_touched():
    x, y, state = images(), images(seed=1), torch.get_rng_state()
    before = x.clone()
    swd(x, y, seed=0)
    assert x.equal(before)
    assert torch.get_rng_state().equal(state)


@pytest.mark.parametrize("other", [(2, 3, 32, 32), (3, 3, 32, 40), (3, 1, 32, 32)])
def test_sets_of_different_shape_are_refused(other):
    with pytest.raises(ValueError, match=r"one shape, got \(3, 3, 32, 32\) and"):
        swd(images(), torch.zeros(other), seed=0)


@pytest.mark.parametrize("size", [(15, 15), (15, 64), (64, 8)])
def test_images_below_16_pixels_are_refused(size):
    with pytest.raises(ValueError, match=rf"at least 16x16, got \({size[0]}, {size[1]}\)"):
        swd(images(2, size), images(2, size), seed=0)
