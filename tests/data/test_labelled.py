"""Which class map belongs to which image, in every layout."""

from pathlib import Path

import numpy as np
import pytest

from src.data.images import encoded
from src.data.labelled import UNFINISHED, digest, home, labelled_set, labels_of
from src.system.errors import UserError
from tests.labelled import write_pair

PIXEL = encoded(np.zeros((1, 1), np.uint8), ".png")


def touch(*paths: Path) -> None:
    """A grey pixel, whatever the name says."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PIXEL)


def cityscapes(root: Path, split: str, stem: str) -> None:
    touch(
        root / f"leftImg8bit/{split}/town/{stem}_leftImg8bit.png",
        *(
            root / f"gtFine/{split}/town/{stem}_gtFine_{kind}"
            for kind in ("labelIds.png", "color.png", "polygons.json")
        ),
    )


def test_cityscapes_has_splits_and_several_files_a_frame(tmp_path: Path):
    cityscapes(tmp_path, "train", "town_000001_000019")
    cityscapes(tmp_path, "val", "town_000002_000019")
    (frame,) = labelled_set(str(tmp_path), "val", "test")
    assert frame.image.name == "town_000002_000019_leftImg8bit.png"
    assert frame.labels == tmp_path / "gtFine/val/town/town_000002_000019_gtFine_labelIds.png"
    assert [path.name.split("gtFine_")[1] for path in frame.companions] == [
        "color.png",
        "labelIds.png",
        "polygons.json",
    ]
    assert frame.base == home([frame.image]) == tmp_path


def test_playing_for_data_keeps_both_folders_side_by_side(tmp_path: Path):
    write_pair(tmp_path / "images", tmp_path / "labels", "00001", 0)
    (frame,) = labelled_set(str(tmp_path), "train", "train")
    assert (frame.labels, frame.base) == (tmp_path / "labels/00001.png", tmp_path)
    assert home([frame.image]) == tmp_path


def test_plain_frames_have_a_folder_of_the_same_name_and_labels(tmp_path: Path):
    touch(tmp_path / "trainB/deep/a.jpg", tmp_path / "trainB/b.png")
    touch(tmp_path / "trainB_labels/deep/a.png", tmp_path / "trainB_labels/b.png")
    frames = labelled_set(str(tmp_path / "trainB"), "train", "train")
    assert [frame.labels.relative_to(tmp_path).as_posix() for frame in frames] == [
        "trainB_labels/b.png",
        "trainB_labels/deep/a.png",
    ]
    assert home([frame.image for frame in frames]) == tmp_path / "trainB"


def test_two_folders_may_be_named(tmp_path: Path):
    touch(tmp_path / "x/a.jpg", tmp_path / "y/a.png")
    (frame,) = labelled_set({"images": str(tmp_path / "x"), "labels": str(tmp_path / "y")}, "train", "train")
    assert frame.labels == tmp_path / "y/a.png"


def test_a_set_that_cannot_be_used_says_why(tmp_path: Path):
    touch(tmp_path / "bare/a.png", tmp_path / "half/images/a.png", tmp_path / "half/images/b.png")
    touch(tmp_path / "half/labels/a.png", tmp_path / "begun/images/a.png", tmp_path / "begun/labels/a.png")
    touch(tmp_path / "begun" / UNFINISHED)
    for node, message in (
        (str(tmp_path / "nowhere"), "train=.*nowhere: no such folder"),
        (str(tmp_path / "bare"), "a.png has no class map; a labelled set is"),
        (str(tmp_path / "half"), "labels/b.png: the class map of .*images/b.png is missing"),
        (str(tmp_path / "begun"), "the set is unfinished; complete it"),
        ({"images": "x"}, "train must name images and labels, got images"),
        (3, "train must be a folder"),
    ):
        with pytest.raises(UserError, match=message) as raised:
            labelled_set(node, "train", "train")
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("layout", ["images", "plain", "cityscapes", "two folders"])
@pytest.mark.parametrize("fault", ["missing", "unreadable", "other size"])
def test_a_frame_that_cannot_be_used_is_skipped_in_every_layout(
    layout: str, fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    pairs = {
        "images": ("images/{}.png", "labels/{}.png"),
        "plain": ("a/{}.png", "a_labels/{}.png"),
        "cityscapes": ("leftImg8bit/train/c/{}_leftImg8bit.png", "gtFine/train/c/{}_gtFine_labelIds.png"),
        "two folders": ("x/{}.png", "y/{}.png"),
    }[layout]
    for index in range(20):
        touch(*(tmp_path / name.format(index) for name in pairs))
    bad = tmp_path / pairs[1].format(7)
    if fault == "missing":
        bad.unlink()
    else:
        bad.write_bytes(b"" if fault == "unreadable" else encoded(np.zeros((2, 3), np.uint8), ".png"))
    two = {"images": str(tmp_path / "x"), "labels": str(tmp_path / "y")}
    frames = labelled_set({"plain": f"{tmp_path}/a", "two folders": two}.get(layout, str(tmp_path)), "train", "train")
    assert {frame.image.name.split(".")[0].split("_")[0] for frame in frames} == set(map(str, range(20))) - {"7"}
    said = capsys.readouterr().err
    assert said.startswith(f"data: 1 frames skipped: {bad}: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize(("image", "class_map"), [("jpg", "png"), ("PNG", "PNG"), ("JPG", "png"), ("png", "PNG")])
def test_suffixes_of_any_case_and_kind_are_read(image: str, class_map: str, tmp_path: Path):
    touch(tmp_path / f"pfd/images/00006.{image}", tmp_path / f"pfd/labels/00006.{class_map}")
    touch(tmp_path / f"cs/leftImg8bit/val/c/1_leftImg8bit.{image}")
    touch(tmp_path / f"cs/gtFine/val/c/1_gtFine_labelIds.{class_map}")
    for name, expected in (
        ("pfd", f"pfd/labels/00006.{class_map}"),
        ("cs", f"cs/gtFine/val/c/1_gtFine_labelIds.{class_map}"),
    ):
        (frame,) = labelled_set(str(tmp_path / name), "val", "test")
        assert frame.labels == tmp_path / expected


def test_class_maps_of_train_ids_are_named_where_those_of_label_ids_are_missing(tmp_path: Path):
    touch(tmp_path / "leftImg8bit/val/c/1_leftImg8bit.png", tmp_path / "gtFine/val/c/1_gtFine_labelTrainIds.png")
    message = r"1_gtFine_labelIds\.png: .* missing; there is 1_gtFine_labelTrainIds\.png: rename such files and choose "
    with pytest.raises(UserError, match=message):
        labelled_set(str(tmp_path), "val", "test")


def test_the_digest_follows_contents_and_names(tmp_path: Path):
    write_pair(tmp_path / "x", tmp_path / "x_labels", "a", 0)
    before = digest(labels_of([tmp_path / "x/a.png"]))
    assert digest(labels_of([tmp_path / "x/a.png"])) == before
    write_pair(tmp_path / "x", tmp_path / "x_labels", "a", 1)
    assert digest(labels_of([tmp_path / "x/a.png"])) != before
