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
from src.data.images import read_image
from src.errors import UserError
from src.modules.average import WeightAverage
from src.translate import plan, translate_image
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
    image = torch.rand(3, 40, 64) * 2 - 1
    torch.testing.assert_close(translate_image(network, image), network(image[None])[0], atol=0, rtol=0)


def test_a_padded_border_is_cut_off_again(run: Path):
    network = runs.load_translator(run, average=True)
    image = torch.rand(3, 37, 50) * 2 - 1
    padded = torch.nn.functional.pad(image[None], (0, 2, 0, 3), mode="replicate")
    torch.testing.assert_close(translate_image(network, image), network(padded)[0, :, :37, :50], atol=0, rtol=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run=nowhere", "input={good}", "output={out}"], "nowhere: not a run folder, config.yaml is missing"),
        (["run={run}", "input=nowhere", "output={out}"], "input=nowhere: no such file or folder"),
        (["run={run}", "input={good}", "output={out}", "accelerator=tpu"], "accelerator=tpu: not to be had here"),
        (["run={run}", "input={broken}", "output={out}"], "broken.png: cannot be read as an image"),
        (["run={run}", "input={good}", "output={same}"], "would be overwritten; name another folder"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_1(run: Path, tmp_path: Path, arguments: list[str], message: str):
    write(tmp_path / "good/a.png", 16, 16)
    (tmp_path / "broken.png").write_bytes(b"no")
    paths = {"run": run, "good": tmp_path / "good", "same": tmp_path / "good", "out": tmp_path / "out"}
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
