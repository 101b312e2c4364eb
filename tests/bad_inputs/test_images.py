"""Strange and broken image files, each through the doors a user has: training data, src.translate, src.evaluate."""

import os
from collections.abc import Callable
from copy import deepcopy
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import DictConfig
from PIL import Image
from torch import nn

from src.config.build import build
from src.data.datamodule import UnpairedData
from src.data.images import find_images, read_image
from src.data.labelled import labelled_set, labels_of
from src.data.unpaired import UnpairedImages
from src.downstream.data import LabelledData
from src.evaluate import evaluate
from src.system.errors import UserError
from src.translation.frames import translate
from src.translation.jobs import plan
from tests.bad_inputs.image_files import BROKEN, GREY, READABLE, RGB, SIDE, animation, damaged, encoded, png
from tests.data.test_labels import table
from tests.labelled import composed


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """trainA, which is empty yet, and good frames in the three other folders."""
    (tmp_path / "root/trainA").mkdir(parents=True)
    for name in ("trainB", "testA", "testB"):
        (tmp_path / "root" / name).mkdir()
        (tmp_path / "root" / name / "good.png").write_bytes(encoded("PNG"))
    return tmp_path / "root"


@lru_cache
def settings(name: str, *overrides: str) -> DictConfig:
    return composed(name, *overrides)


def training_data(root: Path, cache: Path | None = None, white: float = 65535) -> UnpairedData:
    """As src.train builds it, of images exactly as large as those of the tests, so that pixels stay what they are."""
    fixed = (
        "data=folders",
        f"data.size={SIDE}",
        f"data.load={SIDE}",
        "data.aspect=1",
        "data.flip=false",
        "data.num_workers=0",
    )
    whole = deepcopy(settings("train", *fixed))
    whole.data.root = str(root)
    whole.data.white = white
    whole.data.cache = None if cache is None else str(cache)
    data = build(whole.data, "data")
    assert isinstance(data, UnpairedData)
    assert data.images  # lists the files
    return data


def judge(real: Path, fake: Path) -> object:
    """As src.evaluate does."""
    whole = deepcopy(settings("evaluate", "accelerator=cpu", "metrics.cache=null", "real=.", "fake=."))
    whole.real, whole.fake = str(real), str(fake)
    return evaluate(whole)


def source(data: UnpairedData) -> np.ndarray:
    """Pixels of the first training source."""
    images: UnpairedImages = data.images
    return ((images[0, 0]["x"] + 1) * 127.5).round().permute(1, 2, 0).numpy()


def place(folder: Path, name: str | bytes) -> Path:
    return folder / (os.fsdecode(name) if isinstance(name, bytes) else name)


@pytest.mark.accepted
@pytest.mark.parametrize("case", READABLE)
def test_what_can_be_read_comes_out_right(case: str, root: Path, tmp_path: Path):
    name, write = READABLE[case]
    path = place(root / "trainA", name)
    pixels, tolerance = write(path)
    data = training_data(root)
    expected = np.broadcast_to(pixels, (SIDE, SIDE, 3)) if pixels.shape[:2] == (1, 1) else pixels
    assert np.abs(source(data) - expected).max() <= tolerance
    assert len(data.digest()) == 12
    cached = training_data(root, tmp_path / "cache")
    cached.setup()
    np.testing.assert_array_equal(source(cached), source(data))

    # a network that changes nothing
    translate(nn.Identity(), plan(str(root / "trainA"), tmp_path / "out"), torch.device("cpu"))
    (written,) = (tmp_path / "out").iterdir()
    with Image.open(written) as image:
        output = np.asarray(image, dtype=float)
    assert output.shape == pixels.shape
    assert np.abs(output - pixels).max() <= tolerance


@pytest.mark.accepted
def test_training_reads_12_bits_in_16_by_its_white_and_counts_what_it_passes_over(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (root / "trainA/a.png").write_bytes(encoded("PNG", GREY.astype(np.uint16) * 16))
    for name in ("trainA/a.tif", "testB/b.TIF", "testB/notes.txt"):
        (root / name).write_bytes(b"")
    for cache in (None, tmp_path / "cache"):
        data = training_data(root, cache, white=4080)
        data.setup()
        np.testing.assert_array_equal(source(data), np.repeat(GREY[:, :, None], 3, axis=2))
        assert capsys.readouterr().err.startswith("data: 3 files passed over: .tif 2, .txt 1; read are .png, ")
    other = training_data(root, tmp_path / "cache")  # another white is another cache
    other.setup()
    assert source(other).max() <= 16
    for white in (0, 254, 65536, 4095.5):
        with pytest.raises(UserError, match=r"^data\.white "):
            training_data(root, white=white)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # as src.data.images leaves it in a command
@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_read_is_one_line_that_names_file_and_mend(case: str, root: Path, tmp_path: Path):
    name, content, message = BROKEN[case]
    path = root / "trainA" / name
    path.write_bytes(content())
    data = training_data(root)
    network = nn.Identity()
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a.png").write_bytes(encoded("PNG"))
    doors: list[Callable[[], object]] = [
        lambda: source(data),
        lambda: training_data(root, tmp_path / "cache").setup(),
        lambda: translate(network, plan(str(path), tmp_path / "out"), torch.device("cpu")),
    ]
    if case not in ("half a png", "half a jpeg", "damaged png"):
        # their headers are good; what comes after takes an extractor to reach
        doors.append(lambda: judge(tmp_path / "real", root / "trainA"))
    for door in doors:
        with pytest.raises(UserError, match=message) as raised:
            door()
        assert str(raised.value).startswith(f"{path}: ")
        assert "\n" not in str(raised.value)
    assert not list((tmp_path / "out").rglob("*.png"))
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


def test_an_image_too_small_to_be_scored_is_named(root: Path):
    (root / "trainA/dot.png").write_bytes(encoded("PNG", RGB[:1, :1]))
    with pytest.raises(
        UserError, match=r"trainA/dot\.png: its shortest side has 1 pixels, fewer than 16; remove it or"
    ):
        judge(root / "trainB", root / "trainA")


@pytest.mark.accepted
def test_no_damage_of_a_file_ends_in_anything_but_pixels_or_our_line(tmp_path: Path):
    refused = 0
    for name, content in damaged(seed=0, count=400):
        path = tmp_path / name
        path.write_bytes(content)
        try:
            pixels = read_image(path)
        except UserError as error:
            message = str(error)
        else:
            message = None
            assert (pixels.dtype, pixels.ndim, pixels.shape[2]) == (np.uint8, 3, 3)
        if message is not None:
            assert message.startswith(f"{path}: ")
            assert "\n" not in message
            refused += 1
    assert 0 < refused < 400


@pytest.mark.parametrize("loop", [False, True])
def test_a_link_that_leads_nowhere_is_named(root: Path, loop: bool):
    path = root / "trainA/a.png"
    path.symlink_to(path if loop else root / "gone.png")
    with pytest.raises(UserError, match=r"trainA/a\.png: is a link that leads to no file; mend or remove it"):
        training_data(root)


@pytest.mark.accepted
def test_linked_folders_are_followed_and_loops_are_not(root: Path, tmp_path: Path):
    (tmp_path / "elsewhere/deep").mkdir(parents=True)
    (tmp_path / "elsewhere/deep/a.png").write_bytes(encoded("PNG"))
    (root / "trainA/linked").symlink_to(tmp_path / "elsewhere")
    (root / "trainA/again").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/deep/loop").symlink_to(root / "trainA")
    (root / "trainA/self").symlink_to(root / "trainA/self")
    assert len(training_data(root).domains.x_train) == 1


@pytest.mark.accepted
def test_a_folder_called_like_an_image_is_a_folder(root: Path):
    (root / "trainA/a.png").mkdir()
    with pytest.raises(UserError, match=r"trainA: no images there; looked for \.png"):
        training_data(root)
    (root / "trainA/a.png/b.png").write_bytes(encoded("PNG"))
    np.testing.assert_array_equal(source(training_data(root)), RGB)


@pytest.mark.parametrize("name", ["a.gif", "a.tif", "a.bmp", "a", "a.png.txt"])
def test_other_extensions_are_no_images(name: str, root: Path, tmp_path: Path):
    (root / "trainA" / name).write_bytes(animation("GIF"))
    suffix = Path(name).suffix or "without suffix"
    looked_for = r"trainA: no images there; looked for \.png, \.jpg, \.jpeg, \.jpe, \.jfif, \.webp at any depth"
    with pytest.raises(UserError, match=f"{looked_for}; there are {suffix} 1$"):
        training_data(root)
    with pytest.raises(UserError, match=r"neither an image \(\.png, \.jpg, .*, \.webp\) nor a video"):
        plan(str(root / "trainA" / name), tmp_path / "out")


def test_an_image_that_vanishes_is_named(root: Path):
    (root / "trainA/a.png").write_bytes(encoded("PNG"))
    data = training_data(root)
    (root / "trainA/a.png").unlink()
    with pytest.raises(UserError, match=r"trainA/a\.png: the image is gone; was the folder changed meanwhile\?"):
        source(data)


IDS = np.full((SIDE, SIDE), 7, np.uint8)
STRANGE = np.where(GREY > 100, 99, IDS).astype(np.uint8)
MAPS: dict[str, tuple[Callable[[], bytes], str]] = {
    "unknown ids": (lambda: encoded("PNG", STRANGE), "the label table knows no id 99; choose another with labels="),
    "colours": (lambda: encoded("PNG"), r"holds colours \(mode RGB\), not class ids; convert it"),
    "ids with alpha": (lambda: encoded("PNG", np.dstack([IDS, IDS])), r"holds colours \(mode LA\), not class ids"),
    "ids over 255": (lambda: encoded("PNG", IDS.astype(np.uint16) * 257), r"class ids must lie in \[0, 255\]"),
    "1-bit": (lambda: encoded("PNG", IDS > 0), r"class ids must lie in \[0, 255\]"),
    "no class": (lambda: encoded("PNG", IDS * 0), "holds none of the classes of this label table"),
    "zero bytes": (lambda: b"", r"cannot be read as a class map \(.+\); mend or remove the file"),
    "half": (lambda: encoded("PNG", GREY)[:60], r"cannot be read as a class map \(.+\); mend or remove the file"),
    "30000x30000": (lambda: png(30000, 30000, 8, 0, b"\0"), "has more than 89 megapixels"),
    "another size": (lambda: encoded("PNG", IDS[:9]), "is 32x9, its image .* 32x32; remove both from the set"),
}


@pytest.mark.parametrize("case", MAPS)
def test_class_maps_that_cannot_be_used_are_named(case: str, root: Path):
    content, message = MAPS[case]
    (root / "trainB_labels").mkdir()
    (root / "trainB_labels/good.png").write_bytes(content())
    frames = labels_of(find_images(root / "trainB"))  # what is gone bad since the set was looked at
    data = LabelledData(
        frames,
        table("cityscapes"),
        size=SIDE,
        aspect=1,
        smallest_crop=1,
        batch_size=2,
        samples_per_epoch=2,
        num_workers=0,
        white=65535,
        seed=0,
    )
    with pytest.raises(UserError, match=message) as raised:
        data.images[0, 0]
    assert str(raised.value).startswith(f"{root / 'trainB_labels/good.png'}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.accepted
def test_a_palette_map_with_alpha_is_read_by_its_indices(root: Path):
    (root / "trainB_labels").mkdir()
    image = Image.fromarray((IDS + GREY // 255 + np.arange(SIDE, dtype=np.uint8)[None] // 16).astype(np.uint8))
    image.putpalette([1, 2, 3] * 256)
    image.save(root / "trainB_labels/good.png", transparency=b"\0" * 256)
    (frame,) = labelled_set(str(root / "trainB"), "train", "train")
    assert np.unique(table("cityscapes").read(frame.labels)).tolist() == [0, 1]
