"""Colour transfer by statistics (Reinhard et al. 2001, "Color transfer between images"): a control without learning."""

import cv2
import numpy as np

from src.data.images import Pixels


def transfer_colours(source: Pixels, target: Pixels) -> Pixels:
    """The source with the mean and the standard deviation of each channel of the target (Eq. 10 and 11).

    In CIE L*a*b* instead of the paper's l-alpha-beta; both have an achromatic and two opponent channels. A channel
    without variation keeps its own.

    Args:
        source: pixels [H, W, 3].
        target: pixels of any size.
    """
    x, y = _lab(source), _lab(target)
    mean_x, mean_y = x.mean((0, 1)), y.mean((0, 1))
    std_x, std_y = x.std((0, 1)), y.std((0, 1))
    scale = np.where(std_x > 1e-6, std_y / np.maximum(std_x, 1e-6), 1.0)
    moved = ((x - mean_x) * scale + mean_y).astype(np.float32)
    rgb = cv2.cvtColor(moved, cv2.COLOR_LAB2RGB)
    return np.asarray((rgb * 255).round().clip(0, 255), dtype=np.uint8)


def _lab(pixels: Pixels) -> np.ndarray:
    return cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).astype(np.float64)
