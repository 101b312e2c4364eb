"""Where the files of both domains lie."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.data.layouts import folders, gta2cityscapes
from src.errors import UserError


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(path)


@pytest.fixture
def true_layouts(tmp_path: Path) -> Path:
    for index in range(1, 11):
        touch(tmp_path / f"playing_for_data/images/{index:05d}.png")
        touch(tmp_path / f"playing_for_data/labels/{index:05d}.png")
    for split, city, count in (("train", "aachen", 3), ("train", "bochum", 2), ("val", "munster", 2)):
        for index in range(count):
            stem = f"{split}/{city}/{city}_{index:06d}_000019"
            touch(tmp_path / f"cityscapes/leftImg8bit/{stem}_leftImg8bit.png")
            touch(tmp_path / f"cityscapes/gtFine/{stem}_gtFine_color.png")
    return tmp_path


def names(paths: object) -> list[str]:
    return [path.name for path in paths]


def test_the_true_layouts_under_one_root(true_layouts: Path):
    found = gta2cityscapes(str(true_layouts), x="playing_for_data", y="cityscapes", holdout=5)
    assert names(found.x_val) == ["00005.png", "00010.png"]
    assert len(found.x_train) == 8
    assert not set(found.x_train) & set(found.x_val)
    assert len(found.y_train) == 5
    assert all("leftImg8bit/train" in str(path) for path in found.y_train)
    assert all("leftImg8bit/val" in str(path) for path in found.y_val)


def test_each_set_may_lie_elsewhere(true_layouts: Path):
    absolute = [str(true_layouts / name) for name in ("playing_for_data", "cityscapes")]
    found = gta2cityscapes(None, x=absolute[0], y=absolute[1], holdout=5)
    assert len(found.x_train) + len(found.x_val) == 10


def test_what_is_missing_is_named(true_layouts: Path):
    with pytest.raises(UserError, match=r"elsewhere/leftImg8bit/train: no such folder"):
        gta2cityscapes(str(true_layouts), x="playing_for_data", y="elsewhere", holdout=5)
    with pytest.raises(UserError, match=r"holdout must be >= 2"):
        gta2cityscapes(str(true_layouts), x="playing_for_data", y="cityscapes", holdout=1)


def test_any_two_folders_with_or_without_validation(frames: Callable[..., Path]):
    root = frames(train=20, test=3)
    found = folders(str(root), x="trainA", y="trainB", x_val="testA", y_val=None, holdout=10)
    assert [len(part) for part in (found.x_train, found.y_train, found.x_val, found.y_val)] == [20, 19, 3, 2]
    absolute = folders(None, x=str(root / "trainA"), y=str(root / "trainB"), x_val=None, y_val=None, holdout=4)
    assert len(absolute.x_val) == 5


def test_a_set_too_small_for_its_share_names_a_share_that_leaves_two(true_layouts: Path):
    message = r"^data: x_val is empty; of 10 images none is held out, give data\.layout\.holdout=5 or less$"
    with pytest.raises(UserError, match=message):
        gta2cityscapes(str(true_layouts), x="playing_for_data", y="cityscapes", holdout=50).demand_validation()
    found = gta2cityscapes(str(true_layouts), x="playing_for_data", y="cityscapes", holdout=5)
    assert len(found.x_val) == 2
