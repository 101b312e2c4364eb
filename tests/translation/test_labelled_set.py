"""A labelled source set with other pixels: what stays, what is skipped, what is refused."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from src.data.images import read_image, write_image
from src.data.labelled import MANIFEST, UNFINISHED, labelled_set, labels_of
from src.system.errors import UserError
from src.translation.labelled_set import Job, source_frames, write_set
from tests.labelled import composed, streets, write_pair


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return streets(tmp_path_factory.mktemp("sets") / "streets")


def inverting(done: list[str]) -> Callable[[list[Job]], None]:
    def make(jobs: list[Job]) -> None:
        for source, target in jobs:
            done.append(source.name)
            write_image(target, 255 - read_image(source))

    return make


RECIPE = {"made_by": "inverting"}


@pytest.mark.parametrize("layout", ["playing_for_data", "cityscapes"])
def test_only_pixels_change(root: Path, tmp_path: Path, layout: str):
    frames = labelled_set(str(root / layout), "train", "train")
    named = write_set(frames, tmp_path / "out", RECIPE, inverting([]))
    assert named == tmp_path / "out"
    written = labelled_set(str(named), "train", "train")
    assert len(written) == len(frames)
    for before, after in zip(frames, written, strict=True):
        assert np.array_equal(read_image(after.image), 255 - read_image(before.image))
        assert after.image.relative_to(named) == before.image.relative_to(before.base)
        for one, other in zip(before.companions, after.companions, strict=True):
            assert other.relative_to(named) == one.relative_to(before.base)
            assert other.read_bytes() == one.read_bytes()


def test_the_manifest_has_the_hash_of_every_file(root: Path, tmp_path: Path):
    frames = labelled_set(str(root / "playing_for_data"), "train", "train")
    write_set(frames, tmp_path / "out", RECIPE, inverting([]))
    manifest = json.loads((tmp_path / "out" / MANIFEST).read_text())
    files = {p.relative_to(tmp_path / "out").as_posix(): p for p in (tmp_path / "out").rglob("*.png")}
    assert manifest["files"] == {name: hashlib.sha256(p.read_bytes()).hexdigest() for name, p in files.items()}
    assert manifest["recipe"] == RECIPE
    assert not (tmp_path / "out" / UNFINISHED).exists()


def test_without_a_maker_the_images_stay_as_they_are(root: Path, tmp_path: Path):
    frames = labelled_set(str(root / "playing_for_data"), "train", "train")[1:3]
    named = write_set(frames, tmp_path / "out", {"made_by": "nothing"})
    written = labelled_set(str(named), "train", "train")
    assert [f.image.read_bytes() for f in written] == [f.image.read_bytes() for f in frames]


def test_what_stands_is_skipped_and_what_is_missing_or_damaged_is_made_again(root: Path, tmp_path: Path):
    frames = labelled_set(str(root / "playing_for_data"), "train", "train")
    write_set(frames, tmp_path / "out", RECIPE, inverting([]))
    whole = (tmp_path / "out" / MANIFEST).read_bytes()
    again: list[str] = []
    write_set(frames, tmp_path / "out", RECIPE, inverting(again))
    assert again == []
    (tmp_path / "out/images/00002.png").unlink()
    (tmp_path / "out/images/00004.png").write_bytes(b"torn")
    os.unlink(tmp_path / "out/labels/00003.png")
    write_set(frames, tmp_path / "out", RECIPE, inverting(again))
    assert again == ["00002.png", "00004.png"]
    assert (tmp_path / "out" / MANIFEST).read_bytes() == whole


def test_an_interrupted_set_goes_on_and_cannot_be_trained_on_before(root: Path, tmp_path: Path):
    frames = labelled_set(str(root / "playing_for_data"), "train", "train")

    def stop_after_two(jobs: list[Job]) -> None:
        inverting([])(jobs[:2])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_set(frames, tmp_path / "out", RECIPE, stop_after_two)
    with pytest.raises(UserError, match="the set is unfinished"):
        labelled_set(str(tmp_path / "out"), "train", "train")
    rest: list[str] = []
    write_set(frames, tmp_path / "out", RECIPE, inverting(rest))
    assert rest == ["00003.png", "00004.png", "00005.png"]


def test_foreign_folders_and_other_recipes_are_refused(root: Path, tmp_path: Path):
    frames = labelled_set(str(root / "playing_for_data"), "train", "train")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("precious")
    with pytest.raises(UserError, match="exists and is no set of this package"):
        write_set(frames, tmp_path / "mine", RECIPE, inverting([]))
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    write_set(frames, tmp_path / "out", RECIPE, inverting([]))
    for others, recipe in ((frames, {"made_by": "another"}), (frames[1:], RECIPE)):
        with pytest.raises(UserError, match="holds a set made otherwise or of other frames"):
            write_set(others, tmp_path / "out", recipe, inverting([]))


def test_names_that_would_collide_are_refused(tmp_path: Path):
    write_pair(tmp_path / "x", tmp_path / "x_labels", "a", 0)
    (tmp_path / "x/a.jpg").write_bytes((tmp_path / "x/a.png").read_bytes())
    frames = labels_of(sorted((tmp_path / "x").iterdir()))
    with pytest.raises(UserError, match="would both become"):
        write_set(frames, tmp_path / "out", RECIPE, inverting([]))


def test_plain_folders_keep_their_two_names(tmp_path: Path):
    write_pair(tmp_path / "x", tmp_path / "x_labels", "a", 0)
    named = write_set(labels_of([tmp_path / "x/a.png"]), tmp_path / "out", RECIPE, inverting([]))
    assert named == tmp_path / "out/x"
    assert (tmp_path / "out/x_labels/a.png").read_bytes() == (tmp_path / "x_labels/a.png").read_bytes()
    assert len(labelled_set(str(named), "train", "train")) == 1


def test_source_frames_without_a_class_map_are_left_out_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for part, count in (("trainA", 20), ("trainB", 2), ("testA", 2), ("testB", 2)):
        for index in range(count):
            write_pair(tmp_path / part, tmp_path / f"{part}_labels", str(index), index)
    missing = tmp_path / "trainA_labels/7.png"
    missing.unlink()
    data = composed("check", "data=folders", f"data.root={tmp_path}").data
    frames = source_frames(data, "train")
    assert sorted(int(frame.image.stem) for frame in frames) == [index for index in range(20) if index != 7]
    assert capsys.readouterr().err == (
        f"data: 1 frames skipped: {missing}: the class map of {tmp_path}/trainA/7.png is missing\n"
    )
