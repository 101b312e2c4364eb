"""Reinhard's transfer: the statistics of one image on another."""

import numpy as np
import numpy.typing as npt

from src.data.colour_transfer import transfer_colours


def lab(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """CIE 1976 L*a*b* from sRGB by the textbook (IEC 61966-2-1, D65)."""
    c = pixels / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    matrix = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
    xyz = linear @ matrix.T / matrix.sum(1)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def image(seed: int, middle: int, spread: int) -> npt.NDArray[np.uint8]:
    draws = np.random.default_rng(seed).integers(-spread, spread + 1, (24, 30, 3))
    return (middle + np.array([0, 8, -8]) * (seed + 1) + draws).astype(np.uint8)


def test_mean_and_deviation_become_the_targets():
    source, target = image(0, 110, 30), image(1, 140, 12)
    moved = lab(transfer_colours(source, target))
    wanted = lab(target)
    # eight bits cost half a level
    np.testing.assert_allclose(moved.mean((0, 1)), wanted.mean((0, 1)), atol=0.1)
    np.testing.assert_allclose(moved.std((0, 1)), wanted.std((0, 1)), atol=0.15)


def test_an_image_keeps_its_own_colours():
    source = image(0, 110, 30)
    assert np.abs(transfer_colours(source, source).astype(int) - source).max() <= 1


def test_the_order_of_brightness_stays_and_a_flat_image_stays_flat():
    source, target = image(0, 110, 30), image(1, 140, 12)
    before, after = lab(source)[..., 0].ravel(), lab(transfer_colours(source, target))[..., 0].ravel()
    assert np.corrcoef(before, after)[0, 1] > 0.99
    flat = np.full((5, 6, 3), 90, np.uint8)
    assert len(np.unique(transfer_colours(flat, target).reshape(-1, 3), axis=0)) == 1
