"""Translating files and folders with a finished run."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from src import runs
from src import translate as translate_module
from src.data.images import read_image
from src.data.transforms import to_pixels, to_tensor
from src.errors import UserError
from src.modules.average import WeightAverage
from src.networks import strips
from src.networks.generator import Generator
from src.translate import BATCH, plan, translate_images
from src.translate import translate as translate_files
from tests.conftest import CONF, TINY, config


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    cfg = config(*TINY, "attention=none")
    torch.manual_seed(0)
    method = runs.build_method(cfg)
    for parameter in method.G.parameters():
        # beyond the near-grey output of fresh weights
        torch.nn.init.normal_(parameter, std=0.1)
    resolved = OmegaConf.create(OmegaConf.to_container(cfg, resolve=False))
    for key in ("data", "callbacks", "logger", "metrics"):
        del resolved[key]
    runs.save_config(folder, resolved)
    runs.save_weights(folder, method, WeightAverage(method.G, decay=0.9).network)
    return folder


def write(path: Path, height: int, width: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def translate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "src.translate", *arguments]
    return subprocess.run(command, cwd=CONF.parent, capture_output=True, text=True)


def test_a_folder_becomes_pngs_of_the_same_names_and_sizes(run: Path, tmp_path: Path):
    shapes = {"a.jpg": (33, 47), "deep/b.png": (64, 20), "deep/c.webp": (5, 9)}
    for name, shape in shapes.items():
        write(tmp_path / "in" / name, *shape)
    done = translate(f"run={run}", f"input={tmp_path / 'in'}", f"output={tmp_path / 'out'}")
    assert done.returncode == 0, done.stderr
    written = {str(p.relative_to(tmp_path / "out")): read_image(p).shape[:2] for p in (tmp_path / "out").rglob("*.*")}
    expected = {str(Path(name).with_suffix(".png")): shape for name, shape in shapes.items()}
    assert written == expected
    assert done.stdout.strip() == str(tmp_path / "out")


def test_a_single_file_and_the_raw_weights(run: Path, tmp_path: Path):
    write(tmp_path / "a.png", 32, 32)
    for average in ("true", "false"):
        out = tmp_path / average
        done = translate(f"run={run}", f"input={tmp_path / 'a.png'}", f"output={out}", f"average={average}")
        assert done.returncode == 0, done.stderr
        assert read_image(out / "a.png").shape == (32, 32, 3)


def test_the_output_is_the_networks(run: Path):
    network = runs.load_translator(run, average=True)
    images = torch.rand(2, 3, 40, 64) * 2 - 1
    torch.testing.assert_close(translate_images(network, images), network(images), atol=1e-6, rtol=0)


def test_a_padded_border_is_cut_off_again(run: Path):
    network = runs.load_translator(run, average=True)
    images = torch.rand(2, 3, 37, 50) * 2 - 1
    padded = torch.nn.functional.pad(images, (0, 2, 0, 3), mode="replicate")
    torch.testing.assert_close(translate_images(network, images), network(padded)[:, :, :37, :50], atol=1e-6, rtol=0)


def test_above_the_memory_limit_the_output_stays_the_whole_frames(run: Path, monkeypatch: pytest.MonkeyPatch):
    network = runs.load_translator(run, average=True)
    images = torch.nn.functional.interpolate(torch.rand(2, 3, 6, 9) * 2 - 1, (93, 141), mode="bicubic").clamp(-1, 1)
    whole = translate_images(network, images)
    monkeypatch.setattr(strips, "SCRATCH", 0)
    size, kept = (96, 144), []
    in_strips = translate_module.translate_in_strips

    def spy(generator, image, *, keep):
        kept.append(keep)
        return in_strips(generator, image, keep=keep)

    monkeypatch.setattr(translate_module, "translate_in_strips", spy)
    for keep in (True, False):
        limit = strips.working_bytes(network, *size, keep=keep) / 2**30
        # half of 1 / 255 is allowed; rounding alone is a thousandth of that
        torch.testing.assert_close(translate_images(network, images, limit), whole, atol=1 / 255, rtol=0)
    assert kept == [True, True, False, False]
    with pytest.raises(UserError, match=r"memory_limit=.*a frame of 141x93 needs .* GiB; raise the limit or shrink"):
        translate_images(network, images, limit * 0.99)


def test_a_wide_generator_on_a_cpu_gives_the_same_levels():
    torch.manual_seed(0)
    network = Generator(width=64, blur=True, init="xavier", gain=0.02).eval().requires_grad_(False)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.03)
    image = torch.nn.functional.interpolate(torch.rand(1, 3, 32, 32) * 2 - 1, (256, 256), mode="bicubic").clamp(-1, 1)
    assert strips.strips_pay(network, 256, 256)
    with torch.no_grad():
        reference = network(image)[0]
    difference = np.abs(to_pixels(translate_images(network, image)[0]).astype(int) - to_pixels(reference).astype(int))
    # a value on the edge between two levels may fall to either side
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


def test_mixed_sizes_share_batches_and_end_under_their_own_names(run: Path, tmp_path: Path):
    network = runs.load_translator(run, average=True)
    shapes = [(16, 24), (24, 16), (16, 24)] * 7
    for number, shape in enumerate(shapes):
        write(tmp_path / f"in/{number:02d}.png", *shape)
        # pixels are drawn by the shape: mark each frame
        Image.fromarray(np.roll(read_image(tmp_path / f"in/{number:02d}.png"), number, axis=1)).save(
            tmp_path / f"in/{number:02d}.png"
        )
    batches = []
    hook = network.register_forward_pre_hook(lambda module, inputs: batches.append(len(inputs[0])))
    translate_files(network, plan(tmp_path / "in", tmp_path / "out"), torch.device("cpu"))
    hook.remove()
    assert sum(batches) == len(shapes)
    assert max(batches) == BATCH
    for number in range(len(shapes)):
        image = to_tensor(read_image(tmp_path / f"in/{number:02d}.png"))
        expected = to_pixels(translate_images(network, image[None])[0])
        assert np.abs(read_image(tmp_path / f"out/{number:02d}.png").astype(int) - expected).max() <= 1


def test_a_file_that_cannot_be_written_ends_the_work(run: Path, tmp_path: Path):
    write(tmp_path / "in/a.png", 16, 16)
    (tmp_path / "out/a.png").mkdir(parents=True)
    network = runs.load_translator(run, average=True)
    with pytest.raises(UserError, match="cannot be written"):
        translate_files(network, plan(tmp_path / "in", tmp_path / "out"), torch.device("cpu"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run={run}", "input={good}", "output={out}", "accelerator=tpu"], "accelerator=tpu: not to be had here"),
        (["run={run}", "input={broken}", "output={out}"], "broken.png: cannot be read as an image"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_1(run: Path, tmp_path: Path, arguments: list[str], message: str):
    write(tmp_path / "good/a.png", 16, 16)
    (tmp_path / "broken.png").write_bytes(b"no")
    paths = {"run": run, "good": tmp_path / "good", "out": tmp_path / "out"}
    paths["broken"] = tmp_path / "broken.png"
    done = translate(*(argument.format(**paths) for argument in arguments))
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if message in line]
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("out/**/*.*"))


def test_two_files_that_would_become_one_are_refused(tmp_path: Path):
    write(tmp_path / "in/a.png", 8, 8)
    write(tmp_path / "in/a.jpg", 8, 8)
    with pytest.raises(UserError, match="would both become"):
        plan(tmp_path / "in", tmp_path / "out")


def test_torn_or_foreign_weights_are_refused(run: Path, tmp_path: Path):
    for name in ("config.yaml", "weights.safetensors"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    whole = (run / "weights.safetensors").read_bytes()
    (tmp_path / "weights.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="not a readable safetensors file"):
        runs.load_translator(tmp_path, average=True)
    (tmp_path / "weights.safetensors").write_bytes(whole)
    text = (run / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(text.replace("width: 4", "width: 6"))
    with pytest.raises(UserError, match=r"does not fit config\.yaml"):
        runs.load_translator(tmp_path, average=True)
    (tmp_path / "weights.safetensors").unlink()
    with pytest.raises(UserError, match="continue it with resume="):
        runs.load_translator(tmp_path, average=True)
