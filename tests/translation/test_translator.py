"""A translator for images in memory gives what src.translate gives for their files, and keeps kind and size."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from src.runs.folder import WEIGHTS
from src.system.errors import UserError
from src.translation.translate import translate_inputs
from src.translation.translator import Translator
from tests import labelled
from tests.hub import Hub
from tests.labelled import composed

ROOT = Path(__file__).resolve().parent.parent.parent
SHIPPED = ROOT / "checkpoints/streets_cut.safetensors"


def pixels(height: int = 37, width: int = 50, seed: int = 0) -> np.ndarray:
    """Of a size that G does not take."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def translator() -> Translator:
    return Translator.load(SHIPPED)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return labelled.translator(tmp_path_factory.mktemp("run") / "run", "data=streets", "data.root=data/streets")


def by_command(file: Path, named: str, output: Path) -> np.ndarray:
    translate_inputs(composed("translate", named, f"input={file}", f"output={output}", "accelerator=cpu"))
    return np.asarray(Image.open(output / f"{file.stem}.png"))


def test_what_the_front_page_shows_works_as_it_is_typed(tmp_path: Path):
    block = re.search(r"```python\n(.+?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block is not None
    (tmp_path / "checkpoints").symlink_to(SHIPPED.parent)
    Image.fromarray(pixels()).save(tmp_path / "frame.png")
    line, environment = [sys.executable, "-c", block[1]], {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = by_command(tmp_path / "frame.png", f"weights={SHIPPED}", tmp_path / "out")
    assert (np.asarray(Image.open(tmp_path / "out.png")) == expected).all()


def test_a_run_is_named_by_its_folder(run: Path, tmp_path: Path):
    Image.fromarray(pixels()).save(tmp_path / "frame.png")
    expected = by_command(tmp_path / "frame.png", f"run={run}", tmp_path / "out")
    loaded = Translator.load(run)
    assert (loaded.translate(pixels()) == expected).all()
    assert loaded.height == 128


def test_a_run_is_named_by_its_address(run: Path, there: Hub):
    there.create("user/name")
    there.commit("user/name", {file.name: file.read_bytes() for file in run.iterdir() if file.is_file()})
    assert (run / WEIGHTS).is_file()
    fetched = Translator.load("hf://user/name")
    assert (fetched.translate(pixels()) == Translator.load(run).translate(pixels())).all()


def test_each_kind_comes_back_as_it_came(translator: Translator):
    array = pixels()
    expected = translator.translate(array)
    assert (expected.dtype, expected.shape) == (np.uint8, array.shape)
    assert (expected != array).mean() > 0.5
    picture = translator.translate(Image.fromarray(array))
    assert isinstance(picture, Image.Image)
    assert (np.asarray(picture) == expected).all()

    other = Image.fromarray(pixels(20, 64, seed=1))
    several = translator.translate([array, other, array[:, ::-1]])
    assert [type(one) for one in several] == [np.ndarray, type(picture), np.ndarray]
    assert (several[0] == expected).all()
    assert (np.asarray(several[1]) == np.asarray(translator.translate(other))).all()
    assert translator.translate([]) == []


def test_a_batch_is_what_its_pixels_give_within_half_a_level(translator: Translator):
    images = [pixels(seed=0), pixels(seed=1)]
    batch = torch.stack([torch.from_numpy(one).permute(2, 0, 1) / 127.5 - 1 for one in images]).double()
    output = translator.translate(batch)
    assert (output.dtype, output.shape, output.device) == (torch.float64, batch.shape, batch.device)
    levels = ((output + 1) * 127.5).clamp(0, 255).permute(0, 2, 3, 1).numpy()
    expected = np.stack([translator.translate(one) for one in images])
    np.testing.assert_allclose(levels, expected, atol=0.51)  # of rounding


def test_a_later_training_may_use_a_batch(translator: Translator):
    """What inference mode leaves would be refused by autograd."""
    output = translator.translate(torch.zeros(1, 3, 16, 24))
    assert not output.requires_grad
    weight = torch.ones(3, 1, 1, requires_grad=True)
    (output * weight).sum().backward()
    torch.testing.assert_close(weight.grad, output.sum((0, 2, 3))[:, None, None])


def test_a_picture_is_read_as_its_file_is(translator: Translator, tmp_path: Path):
    """Lying on its side by EXIF, with alpha."""
    file = tmp_path / "frame.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.dstack([pixels(), np.full((37, 50), 128, np.uint8)])).save(file, exif=exif)
    expected = by_command(file, f"weights={SHIPPED}", tmp_path / "out")
    assert expected.shape == (50, 37, 3)
    with Image.open(file) as opened:
        assert (np.asarray(translator.translate(opened)) == expected).all()


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (pixels().astype(np.float32), r"^pixels must be uint8 \[H, W, 3\], got float32 \[37, 50, 3\]$"),
        (pixels()[..., 0], r"^pixels must be uint8 \[H, W, 3\], got uint8 \[37, 50\]$"),
        (torch.zeros(3, 8, 8), r"^a batch must be float \[B, 3, H, W\], got torch\.float32 \[3, 8, 8\]$"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), r"^a batch must be float .+ got torch\.uint8"),
        (torch.full((1, 3, 8, 8), 255.0), r"^a batch must lie in \[-1, 1\]; "),
        (torch.full((1, 3, 8, 8), float("nan")), r"^a batch must lie in \[-1, 1\]; "),
        ("frame.png", r"^an image must be one of Pillow, .+, got str$"),
        (Image.new("I;16", (8, 8)), r"^an image of mode I;16: "),
        (Image.new("F", (8, 8)), r"^an image of mode F: "),
    ],
)
def test_anything_else_is_refused_in_one_line(images: object, said: str, translator: Translator):
    with pytest.raises(UserError, match=said) as refused:
        translator.translate(images)  # type: ignore[call-overload]
    assert "\n" not in str(refused.value)


def test_what_holds_no_translator_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match=r"nowhere: no such file; check the path$"):
        Translator.load(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"config\.yaml"):
        Translator.load(tmp_path)


def test_it_computes_where_it_is_sent(translator: Translator):
    """The meta device computes nothing, and refuses to give its values: so it was asked."""
    moved = Translator.load(SHIPPED).to("meta")
    assert {parameter.device.type for parameter in moved.network.parameters()} == {"meta"}
    with pytest.raises((NotImplementedError, RuntimeError), match="meta"):
        moved.translate(pixels())
    assert translator.to("cpu") is translator
