"""Small frames on disk for tests that start processes of their own."""

from pathlib import Path

import torch
from PIL import Image


def write_frames(root: Path, *, train: tuple[int, int] = (5, 6), test: tuple[int, int] = (3, 4)) -> Path:
    """A root with trainA, trainB, testA and testB, of so many images in A and in B."""
    for number, (name, count) in enumerate(zip(("trainA", "trainB", "testA", "testB"), (*train, *test), strict=True)):
        (root / name).mkdir(parents=True)
        for index in range(count):
            draws = torch.Generator().manual_seed(100 * number + index)
            pixels = torch.randint(256, (6, 8, 3), generator=draws, dtype=torch.uint8)
            Image.fromarray(pixels.numpy()).resize((56, 40)).save(root / name / f"{index}.png")
    return root
