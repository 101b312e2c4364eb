"""Where the files of both domains lie."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.data.layouts import folders, gta2cityscapes
from src.system.errors import UserError


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


def test_archives_as_they_unpack_are_found_and_the_move_is_named_and_works(true_layouts: Path):
    game, street = true_layouts / "playing_for_data", true_layouts / "cityscapes"
    for part in ("images", "labels"):
        for number in (1, 2):
            (game / f"0{number}_{part}" / part).mkdir(parents=True)
            for index in range(5 * number - 4, 5 * number + 1):
                (game / part / f"{index:05d}.png").rename(game / f"0{number}_{part}/{part}/{index:05d}.png")
        (game / part).rmdir()
    (street / "leftImg8bit_trainvaltest").mkdir()
    (street / "leftImg8bit").rename(street / "leftImg8bit_trainvaltest/leftImg8bit")
    moves = []
    for _ in range(4):
        try:
            found = gta2cityscapes(str(true_layouts), x="playing_for_data", y="cityscapes", holdout=5)
            if not found.notes:
                break
            (said,) = found.notes
        except UserError as error:
            said = str(error)
        _, _, move = said.partition(" should be one: ")
        assert subprocess.run(move, shell=True, check=False).returncode == 0, said
        moves.append(said)
    assert f"{game}/images: no such folder; {game}/01_images/images and 1 more such should be one" in moves[0]
    assert f"{street}/leftImg8bit/train: no such folder; {street}/leftImg8bit_trainvaltest/leftImg8bit" in moves[1]
    assert f"10 of 10 frames of {game} have no class map; translation needs none, src.segment does; " in moves[3]
    found = gta2cityscapes(str(true_layouts), x="playing_for_data", y="cityscapes", holdout=5)
    assert (len(found.x_train), len(found.y_train), found.notes) == (8, 5, ())


def test_frames_that_were_moved_without_their_class_maps_are_counted(true_layouts: Path):
    game = true_layouts / "playing_for_data"
    (game / "images/part").mkdir()
    (game / "images/00003.png").rename(game / "images/part/00003.png")
    (game / "labels/00007.png").unlink()
    found = gta2cityscapes(str(true_layouts), x="playing_for_data", y="cityscapes", holdout=5)
    (note,) = found.notes
    assert note.startswith(f"2 of 10 frames of {game} have no class map ({game}/labels/00007.png, ...); translation")
    assert found.skipped == ()


def test_streets_may_be_of_any_format_and_other_names_are_counted(true_layouts: Path):
    folder = true_layouts / "cityscapes/leftImg8bit/val/munster"
    for index, suffix in enumerate(("JPG", "PNG")):
        (folder / f"munster_{index:06d}_000019_leftImg8bit.png").rename(
            folder / f"munster_{index}_leftImg8bit.{suffix}"
        )
    touch(folder / "other.png")
    (folder / "notes.txt").write_text("")
    found = gta2cityscapes(str(true_layouts), x="playing_for_data", y="cityscapes", holdout=5)
    assert names(found.y_val) == ["munster_0_leftImg8bit.JPG", "munster_1_leftImg8bit.PNG"]
    assert found.passed_over == {"names without _leftImg8bit": 1, ".txt": 1}


def test_any_two_folders_with_or_without_validation(frames: Callable[..., Path]):
    root = frames(train=20, test=3)
    found = folders(str(root), x="trainA", y="trainB", x_val="testA", y_val=None, holdout=10)
    assert [len(part) for part in (found.x_train, found.y_train, found.x_val, found.y_val)] == [20, 19, 3, 2]
    absolute = folders(None, x=str(root / "trainA"), y=str(root / "trainB"), x_val=None, y_val=None, holdout=4)
    assert len(absolute.x_val) == 5


def test_a_part_of_the_training_folders_can_be_held_out_by_name(tmp_path: Path):
    for name in ("trainA/town1_1.png", "trainA/town1_2.png", "trainA/town2_1.png"):
        touch(tmp_path / name)
    for name in ("trainB/drive/a_1.png", "trainB/drive/b_1.png", "testA/1.png", "testB/1.png"):
        touch(tmp_path / name)
    own = {"x": "trainA", "y": "trainB", "x_val": "testA", "y_val": "testB", "holdout": 10}
    found = folders(str(tmp_path), **own, x_held="town1_*", y_held="drive/b*")
    assert [names(part) for part in (found.x_train, found.x_val)] == [["town2_1.png"], ["town1_1.png", "town1_2.png"]]
    assert [names(part) for part in (found.y_train, found.y_val)] == [["a_1.png"], ["b_1.png"]]
    with pytest.raises(UserError, match=r"'town\*' holds out 3 of the 3 files below .*trainA; name a part of them"):
        folders(str(tmp_path), **own, x_held="town*")
    with pytest.raises(UserError, match=r"'moon\*' holds out 0 of the 3 files"):
        folders(str(tmp_path), **own, x_held="moon*")


def test_links_do_not_hide_that_frames_are_trained_on_and_scored(tmp_path: Path):
    own = {"x": "trainA", "y": "trainB", "x_val": "testA", "y_val": "testB", "holdout": 10}
    for name in ("trainA/1.png", "trainA/2.png", "trainB/1.png", "store/testB.png", "testB/1.png"):
        touch(tmp_path / name)
    (tmp_path / "testA").symlink_to(tmp_path / "trainA")
    message = r"^data: .*/trainA/1\.png is in x_train and, as .*/testA/1\.png, in x_val; name folders that share"
    with pytest.raises(UserError, match=message):
        folders(str(tmp_path), **own)
    (tmp_path / "testA").unlink()
    touch(tmp_path / "testA/1.png")
    (tmp_path / "testA/linked.png").symlink_to("../trainA/2.png")
    with pytest.raises(UserError, match=r"/trainA/2\.png is in x_train and, as .*/testA/linked\.png, in x_val"):
        folders(str(tmp_path), **own)
    (tmp_path / "testA/linked.png").unlink()
    for name in ("trainA", "testA"):  # alike in a store of content: no more the same frame than two copies are
        (tmp_path / name / "black.png").symlink_to("../store/testB.png")
    assert names(folders(str(tmp_path), **own).x_val) == ["1.png", "black.png"]


def test_a_set_too_small_for_its_share_names_a_share_that_leaves_two(true_layouts: Path):
    message = r"^data: x_val is empty; of 10 images none is held out, give data\.layout\.holdout=5 or less$"
    with pytest.raises(UserError, match=message):
        gta2cityscapes(str(true_layouts), x="playing_for_data", y="cityscapes", holdout=50).demand_validation()
    found = gta2cityscapes(str(true_layouts), x="playing_for_data", y="cityscapes", holdout=5)
    assert len(found.x_val) == 2
