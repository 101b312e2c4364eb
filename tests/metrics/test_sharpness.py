"""Sharpness beside OpenCV's Laplacian."""

import cv2
import numpy as np
import pytest
import torch

from src.metrics.sharpness import laplacian_deviation


def pixels(seed: int = 0, height: int = 24, width: int = 36) -> np.ndarray:
    draws = np.random.default_rng(seed)
    return cv2.GaussianBlur(draws.integers(0, 256, (height, width, 3), dtype=np.uint8), (3, 3), 0)


def deviation(image: np.ndarray) -> float:
    return float(laplacian_deviation(torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))))


@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_opencvs_laplacian_of_the_grey_image(seed: int):
    grey = pixels(seed).astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    assert deviation(pixels(seed)) == pytest.approx(cv2.Laplacian(grey, cv2.CV_64F).std(), rel=1e-12)


def test_blur_lowers_it_and_noise_raises_it():
    noisy = np.clip(pixels() + np.random.default_rng(1).normal(0, 30, pixels().shape), 0, 255).astype(np.uint8)
    assert deviation(cv2.GaussianBlur(pixels(), (5, 5), 0)) < 0.5 * deviation(pixels()) < 0.5 * deviation(noisy)
