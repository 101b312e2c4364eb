"""Image and class map through the same crop and flip; draws that follow from (seed, epoch, index) alone."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from src.data.labelled import labels_of
from src.data.labels import IGNORE
from src.downstream.data import LabelledImages, read_labelled
from src.downstream.transforms import JointTransforms
from src.system.errors import UserError
from tests.data.test_labels import table
from tests.labelled import write_pair

SETTINGS = {"size": 32, "aspect": 1.25, "smallest_crop": 0.3}


def colours_by_class(labels: torch.Tensor) -> torch.Tensor:
    ids = torch.where(labels == IGNORE, 11, labels)
    return torch.stack([ids * 20, ids * 10, 255 - ids * 20]) / 127.5 - 1


def test_every_pixel_keeps_its_class_through_crop_and_flip(tmp_path: Path):
    transforms = JointTransforms(**SETTINGS)
    seen = set()
    for seed in range(6):
        write_pair(tmp_path / "x", tmp_path / "x_labels", str(seed), seed)
        pixels, labels = read_labelled(labels_of([tmp_path / f"x/{seed}.png"])[0], table("camvid"))
        image, ids = transforms.train(pixels, labels, np.random.default_rng(seed))
        assert image.shape == (3, 32, 40)
        assert ids.shape == (32, 40)
        agrees = ((image - colours_by_class(ids)).abs() < 0.02).all(0).float().mean()
        assert agrees > 0.75  # all but the borders of the stripes, where the image is smooth and the map is not
        seen.add(tuple(ids[0].tolist()) == tuple(ids[0].flip(0).tolist()))
    assert False in seen


def test_a_draw_is_a_function_of_seed_epoch_and_index(tmp_path: Path):
    for number in range(5):
        write_pair(tmp_path / "x", tmp_path / "x_labels", str(number), number)
    frames = labels_of(sorted((tmp_path / "x").iterdir()))
    sets = [LabelledImages(frames, table("camvid"), JointTransforms(**SETTINGS), samples=7, seed=3) for _ in range(2)]
    sets[1][0, 0]  # whatever was drawn before
    for draw in ((0, 6), (1, 0), (4, 2)):
        first, second = (each[draw] for each in sets)
        assert torch.equal(first["image"], second["image"])
        assert torch.equal(first["labels"], second["labels"])
    other = LabelledImages(frames, table("camvid"), JointTransforms(**SETTINGS), samples=7, seed=4)
    assert not all(torch.equal(other[0, i]["image"], sets[0][0, i]["image"]) for i in range(3))


def test_every_frame_comes_once_before_any_comes_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for number in range(4):
        write_pair(tmp_path / "x", tmp_path / "x_labels", str(number), number)
    frames = labels_of(sorted((tmp_path / "x").iterdir()))
    read: list[str] = []
    monkeypatch.setattr(
        "src.downstream.data.read_labelled",
        lambda frame, *how: read.append(frame.image.name) or read_labelled(frame, *how),
    )
    images = LabelledImages(frames, table("camvid"), JointTransforms(**SETTINGS), samples=6, seed=0)
    for draw in ((epoch, index) for epoch in range(2) for index in range(6)):
        images[draw]
    assert all(set(Counter(read[k : k + 4]).values()) == {1} for k in (0, 4, 8))


def test_sizes_that_differ_are_refused(tmp_path: Path):
    write_pair(tmp_path / "x", tmp_path / "x_labels", "a", 0, (40, 48))
    write_pair(tmp_path / "other", tmp_path / "x_labels", "a", 0, (40, 44))
    with pytest.raises(UserError, match=r"is 44x40, its image .* 48x40; remove both"):
        read_labelled(labels_of([tmp_path / "x/a.png"])[0], table("camvid"))
