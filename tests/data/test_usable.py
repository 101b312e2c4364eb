"""Frames of Playing for Data that cannot be used: skipped, counted and named, or too many of them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.data import usable as usable_module
from src.data.labelled import labelled_set
from src.data.layouts import Domains, gta2cityscapes
from src.data.streets import write
from src.data.usable import announce, listing, usable
from src.runs.results import load_metrics
from src.system.errors import UserError
from src.training.run import train
from tests.conftest import TINY, UNDRAWN, config

FRAMES = 60


def picture(path: Path, size: tuple[int, int] = (12, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size[1], size[0]), 7, np.uint8)).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for index in range(1, FRAMES + 1):
        for folder in ("images", "labels"):
            picture(tmp_path / f"playing_for_data/{folder}/{index:05d}.png")
    for split in ("train", "val"):
        picture(tmp_path / f"cityscapes/leftImg8bit/{split}/town/town_000000_000019_leftImg8bit.png")
    return tmp_path


def listed(root: Path) -> Domains:
    return gta2cityscapes(str(root), x="playing_for_data", y="cityscapes", holdout=5)


def test_bad_frames_are_skipped_by_name_and_the_split_of_the_others_stays(
    root: Path, capsys: pytest.CaptureFixture[str]
):
    before = listed(root)
    assert before.skipped == ()
    game = root / "playing_for_data"
    picture(game / "labels/00010.png", (12, 9))
    (game / "images/00011.png").write_bytes((game / "images/00011.png").read_bytes()[:-9])
    (game / "labels/00013.png").write_bytes(b"")
    after = listed(root)
    bad = {"00010.png", "00011.png", "00013.png"}
    assert {entry.image.name for entry in after.skipped} == bad
    assert after.x_val == [path for path in before.x_val if path.name not in bad]
    assert after.x_train == [path for path in before.x_train if path.name not in bad]
    assert (len(after.x_train), len(after.x_val)) == (46, 11)
    announce(after.skipped)
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert line.startswith("data: 3 frames skipped: ")
    assert "labels/00010.png: is 12x9, its image 12x8;" in line
    assert "images/00011.png: cannot be read as an image (cut short)" in line
    assert "labels/00013.png: cannot be read as a class map" in line
    assert len(listing(after.skipped).decode().splitlines()) == 3
    # a segmenter trained on the same folder skips the same
    frames = labelled_set(str(game), "train", "train")
    assert [frame.image for frame in frames] == sorted([*after.x_train, *after.x_val])
    assert capsys.readouterr().err == line


def test_frames_without_a_class_map_serve_unpaired_training(root: Path, capsys: pytest.CaptureFixture[str]):
    (root / "playing_for_data/labels/00007.png").unlink()
    assert listed(root).skipped == ()
    frames = labelled_set(str(root / "playing_for_data"), "train", "train")
    assert {frame.image.stem for frame in frames} == {f"{index:05d}" for index in range(1, FRAMES + 1)} - {"00007"}
    (line,) = capsys.readouterr().err.splitlines()
    assert "labels/00007.png: the class map of " in line


def test_more_bad_frames_than_tolerated_are_an_error(root: Path):
    for index in range(1, 4):
        picture(root / f"playing_for_data/labels/{index:05d}.png", (1, 1))
    assert len(listed(root).skipped) == 3  # five percent of 60
    picture(root / "playing_for_data/labels/00004.png", (1, 1))
    message = r"4 of 60 frames cannot be used, more than 5%; the first: .*labels/00001\.png: is 1x1, its image 12x8"
    with pytest.raises(UserError, match=message) as raised:
        listed(root)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("count", "bad", "refused"), [(12, 1, False), (12, 3, False), (12, 4, True), (4, 1, False), (3, 1, True)]
)
def test_a_small_set_may_have_a_few_bad_frames(count: int, bad: int, refused: bool, tmp_path: Path):
    pairs = {tmp_path / f"{index:02d}.png": None for index in range(count)}
    for index, path in enumerate(pairs):
        picture(path)
        if index < bad:
            path.write_bytes(b"")
    if not refused:
        assert len(usable(pairs)[1]) == bad
        return
    with pytest.raises(UserError, match=f"{bad} of {count} frames cannot be used"):
        usable(pairs)


def test_the_decision_decodes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("decoded"))
    assert listed(root).skipped == ()


def test_a_long_list_is_cut_in_the_line_and_whole_in_the_file(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(usable_module, "TOLERATED", 1.0)
    images = sorted((root / "playing_for_data/images").iterdir())
    for path in images[:5]:
        path.write_bytes(b"")
    skipped = usable(dict.fromkeys(images))[1]
    announce(skipped)
    assert capsys.readouterr().err.endswith("; and 2 more\n")
    assert [line.split("\t")[0] for line in listing(skipped).decode().splitlines()] == list(map(str, images[:5]))


def test_a_run_keeps_the_list_and_the_count(tmp_path: Path):
    root = tmp_path / "streets"
    write.write_frames(root, list(write.all_frames(30, {("train", "altenbruck"): 2, ("val", "lindenau"): 2})))
    bad = root / "playing_for_data/labels/00004.png"
    bad.write_bytes(bad.read_bytes()[:-9])
    folder = tmp_path / "run"
    folder.mkdir()
    settings = [
        "data.size=32",
        "data.load=32",
        "data.samples_per_epoch=2",
        "data.num_workers=0",
        "trainer.max_epochs=1",
    ]
    small = ["metrics.scores=null", UNDRAWN, "trainer.log_every_n_steps=1"]
    train(config(*TINY, "data=gta2cityscapes", f"data.root={root}", "data.layout.holdout=5", *settings, *small), folder)
    (line,) = (folder / "skipped.txt").read_text().splitlines()
    assert line.startswith(
        f"{root}/playing_for_data/images/00004.png\t{bad}: cannot be read as a class map (cut short)"
    )
    assert load_metrics(folder)[1]["frames_skipped"] == 1
