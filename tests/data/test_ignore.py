"""Masks are found by name, have the size of their frame, and go through its geometry; expectations by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from src.config.build import build
from src.data.datamodule import UnpairedData
from src.data.ignore import IgnoreMasks
from src.data.images import write_image
from src.data.scored_masks import ScoredMasks
from src.system.errors import UserError
from tests.conftest import config

HOOD = np.zeros((40, 56), np.uint8)
HOOD[30:, 10:40] = 255


def write(path: Path, mask: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)
    return path


def red_where(path: Path, mask: np.ndarray, seed: int) -> Path:
    """A frame whose red is 255 where its mask is, else at most 100."""
    pixels = np.random.default_rng(seed).integers(0, 101, (*mask.shape, 3), dtype=np.uint8)
    pixels[mask >= 128, 0] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, pixels)
    return path


@pytest.fixture
def marked(tmp_path: Path) -> Path:
    """Frames of 64 rows with a mask each, which their red repeats."""
    for name, count in {"trainA": 3, "trainB": 3, "testA": 2, "testB": 2}.items():
        for index in range(count):
            mask = np.zeros((64, 80), np.uint8)
            mask[20 + 8 * index :, 5 : 30 + index] = 255
            red_where(tmp_path / name / f"{index}.png", mask, index)
            write(tmp_path / "masks" / name / f"{index}.png", mask)
    return tmp_path


def data(root: Path, *overrides: str) -> UnpairedData:
    fixed = ["data=folders", f"data.root={root}", "data.size=32", "data.load=64", "data.num_workers=0"]
    found: UnpairedData = build(config(*fixed, *overrides).data, "data")
    assert found.images  # lists the files
    return found


@pytest.mark.parametrize("like", ["null", "0.1"])
def test_a_mask_is_cropped_and_mirrored_with_its_frame(marked: Path, like: str):
    made = data(marked, "data.ignore_x=masks", "data.ignore_y=masks", f"data.like_places={like}")
    seen = 0
    for epoch in range(20):
        sample = made.images[(epoch, 0)]
        for domain in ("x", "y"):
            ignored = sample[f"ignored_{domain}"]  # type: ignore[literal-required]
            assert ignored.shape == (1, 32, 32)
            assert torch.equal(ignored[0], sample[domain][0] > 0)  # type: ignore[literal-required]
            seen += int(0 < ignored.sum() < 32 * 32)
    assert seen > 20


@pytest.mark.parametrize("like", ["null", "0.1"])
def test_a_mask_changes_no_bit_of_what_is_drawn(marked: Path, like: str):
    own = (f"data.like_places={like}", "data.load_scale=1.2")
    without, masked = data(marked, *own), data(marked, *own, "data.ignore_x=masks")
    for epoch in range(10):
        one, other = without.images[(epoch, 1)], masked.images[(epoch, 1)]
        assert set(other) - set(one) == {"ignored_x"}
        assert one["key"] == other["key"]
        assert torch.equal(one["x"], other["x"])
        assert torch.equal(one["y"], other["y"])


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_carry_masks_only_where_there_are_any(workers: int, marked: Path):
    made = data(marked, "data.ignore_y=masks", "data.batch_size=2", f"data.num_workers={workers}")
    batch = next(iter(made.train_dataloader()))
    assert set(batch) == {"x", "y", "key", "ignored_y"}
    assert batch["ignored_y"].shape == (2, 1, 32, 32)
    assert batch["ignored_y"].dtype == torch.bool
    assert set(next(iter(data(marked).train_dataloader()))) == {"x", "y", "key"}


def test_cached_frames_meet_the_same_masks(marked: Path, tmp_path: Path):
    own = ("data.ignore_x=masks", "data.load_scale=1.3")
    read, cached = data(marked, *own), data(marked, *own, f"data.cache={tmp_path / 'cache'}")
    cached.setup()
    for epoch in range(4):
        one, other = read.images[(epoch, 0)], cached.images[(epoch, 0)]
        assert torch.equal(one["x"], other["x"])
        assert torch.equal(one["ignored_x"], other["ignored_x"])


def test_a_shrunk_pixel_is_ignored_where_any_of_its_own_was(tmp_path: Path):
    mask = (np.random.default_rng(0).random((40, 60)) > 0.9).astype(np.uint8) * 255
    masks = IgnoreMasks(write(tmp_path / "mask.png", mask), "data.ignore_x")
    small = masks.at(tmp_path / "frame.png", (10, 15))
    for row in range(10):
        for column in range(15):
            own = mask[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
            assert small[row, column] == bool((own >= 128).any())
    grown = masks.at(tmp_path / "frame.png", (80, 120))
    assert grown[np.kron(mask, np.ones((2, 2))) >= 128].all()
    assert 0 < grown.mean() < 1


def test_from_128_on_a_pixel_is_ignored(tmp_path: Path):
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    mask = IgnoreMasks(write(tmp_path / "mask.png", grey), "data.ignore_x").read(tmp_path / "frame.png")
    assert mask is not None
    np.testing.assert_array_equal(mask, grey >= 128)


def test_a_mask_is_found_by_its_frames_name_and_folders(tmp_path: Path):
    write(tmp_path / "masks/0.png", HOOD)
    write(tmp_path / "masks/testA/0.png", HOOD)
    write(tmp_path / "masks/deep/er/1.png", HOOD)
    masks = IgnoreMasks(tmp_path / "masks", "data.ignore_x")
    assert masks.of(tmp_path / "trainA/0.jpg") == tmp_path / "masks/0.png"
    assert masks.of(tmp_path / "testA/0.jpg") == tmp_path / "masks/testA/0.png"
    assert masks.of(tmp_path / "any/deep/er/1.webp") == tmp_path / "masks/deep/er/1.png"
    assert masks.of(tmp_path / "any/1.webp") is None
    assert not masks.at(tmp_path / "any/1.webp", (4, 4)).any()
    write(tmp_path / "masks/0.jpg", HOOD)
    with pytest.raises(UserError, match=r"0\.jpg and .*0\.png would be masks of the same frame; remove one"):
        IgnoreMasks(tmp_path / "masks", "data.ignore_x")


def test_frames_without_a_mask_are_counted(marked: Path, capfd: pytest.CaptureFixture[str]):
    (marked / "masks/trainA/1.png").unlink()
    made = data(marked, "data.ignore_x=masks")
    assert "data.ignore_x: 1 of 5 frames have no mask" in capfd.readouterr().err
    frame = marked / "trainA/1.png"
    assert not made.masks["x"].at(frame, (64, 80)).any()


def test_masks_that_do_not_fit_are_refused_in_one_line(marked: Path):
    with pytest.raises(UserError, match=r"data\.ignore_x=.*none: no such picture or folder; name one, absolute or"):
        data(marked, "data.ignore_x=none")
    write(marked / "hood.png", HOOD)
    wrong = r"data\.ignore_y: .*hood\.png is 56x40, its frame .*trainB/0\.png 80x64; a mask has the size of its frame"
    with pytest.raises(UserError, match=wrong):
        data(marked, "data.ignore_y=hood.png")
    write(marked / "others/7.png", HOOD)
    with pytest.raises(
        UserError, match=r"data\.ignore_x=.*others: holds no mask that is called as one of the 5 frames"
    ):
        data(marked, "data.ignore_x=others")
    with pytest.raises(UserError, match=r"trainA/0\.png is a frame of the set; keep masks in a folder of their own"):
        data(marked, "data.ignore_x=trainA")
    (marked / "masks/testA/0.png").write_bytes(b"torn")
    with pytest.raises(UserError, match=r"testA/0\.png: cannot be read as a mask"):
        data(marked, "data.ignore_x=masks")


def test_other_masks_are_another_set(marked: Path):
    known = [(one.files, one.digest()) for one in (data(marked), data(marked, "data.ignore_x=masks"))]
    write(marked / "masks/trainA/0.png", np.zeros((64, 80), np.uint8))
    other = data(marked, "data.ignore_x=masks")
    assert all(files != other.files and digest != other.digest() for files, digest in known)
    assert known[0] != known[1]


def test_scores_miss_the_same_shapes_in_both_sets(marked: Path):
    """Of a frame its own mask and that of the frame as far on in the other set, and nothing else."""
    made = data(marked, "data.ignore_x=masks")
    x_files, y_files = made.domains.x_val, made.domains.y_val
    masked = ScoredMasks(made.masks, x_files, y_files)
    white = torch.ones(3, 64, 80)
    for number in range(2):
        expected = np.ones((64, 80))
        expected[20 + 8 * number :, 5 : 30 + number] = 0
        for frame in (x_files[number], y_files[number]):
            np.testing.assert_array_equal(masked(white, frame)[0].numpy(), expected)
    assert ScoredMasks({}, x_files, y_files)(white, x_files[0]) is white
    assert ScoredMasks({}, x_files, y_files).preparation() == ""
    before = masked.preparation()
    write(marked / "masks/testA/0.png", np.zeros((64, 80), np.uint8))
    assert len({before, masked.preparation(), ""}) == 3
