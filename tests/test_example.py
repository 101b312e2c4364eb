"""The example trains as it is typed, does what the package's CUT does, and needs neither Lightning nor Hydra."""

import ast
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from PIL import Image
from safetensors.torch import load_file

from examples import cut_with_attention as example
from src.config.build import build_method
from src.data.images import read_image
from src.data.transforms import to_pixels
from src.methods.base import Batch
from src.methods.cut import _Y_STREAM, CUT
from src.networks import noise
from src.networks.colour import colours_of
from src.networks.generator import restore
from tests import forked
from tests.conftest import batch, config
from tests.frames import write_frames

SCRIPT = Path(example.__file__)
TYPED = ["--steps", "2", "--size", "32"]


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 56 x 40 pixels."""
    return write_frames(tmp_path_factory.mktemp("example") / "frames")


def typed(folder: Path, frames: Path, *options: str) -> bytes:
    """Run the script from a folder that is not the checkout; the weights it wrote."""
    command = [sys.executable, str(SCRIPT), str(frames / "trainA"), str(frames / "trainB"), *TYPED, *options]
    return written(folder, "out.png", subprocess.run(command, cwd=folder, capture_output=True, text=True))


def again(folder: Path, frames: Path, *options: str) -> bytes:
    """The same by its name and without the seconds of its imports; its files are named."""
    line = (str(frames / "trainA"), str(frames / "trainB"), *TYPED, *options, "--output", f"{folder}/out.png")
    return written(folder, f"{folder}/out.png", forked.run("examples.cut_with_attention", *line))


def written(folder: Path, said: str, done: subprocess.CompletedProcess[str]) -> bytes:
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{said}\n"
    assert "2/2" in done.stderr
    assert "Warning" not in done.stderr
    return (folder / "out.safetensors").read_bytes()


@pytest.fixture(scope="module")
def triplet(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What it leaves with seed 0, its own."""
    folder = tmp_path_factory.mktemp("triplet")
    typed(folder, frames, "--attention", "triplet")
    return folder


@pytest.mark.parametrize("attention", ["triplet", "none"])
def test_it_trains_and_shows_source_and_output(attention: str, triplet: Path, frames: Path, tmp_path: Path):
    if attention == "none":
        again(tmp_path, frames, "--attention", attention)
    folder = tmp_path if attention == "none" else triplet
    torch.manual_seed(0)
    start = example.build(attention).G
    G = restore(start.architecture, load_file(folder / "out.safetensors"))
    moved = [name for name, value in G.named_parameters() if not torch.equal(value, start.get_parameter(name))]
    assert len(moved) == len(list(G.parameters()))

    with Image.open(folder / "out.png") as picture:
        rows = np.asarray(picture).reshape(3, 40, 3, 56, 3)  # row, y, column, x, RGB
    for row, file in zip(rows, (0, 1, 3), strict=True):
        source = np.asarray(Image.open(frames / "trainA" / f"{file}.png"))
        x = torch.tensor(source).permute(2, 0, 1)[None] / 127.5 - 1
        shown = [((image[0] + 1) * 127.5).permute(1, 2, 0).numpy() for image in (x, G.align(x), G(x))]
        # grey levels; half of one is rounding
        np.testing.assert_allclose(np.stack(shown, axis=1), row, atol=0.51)


def test_a_seed_gives_the_same_weights_to_the_bit_and_another_others(triplet: Path, frames: Path, tmp_path: Path):
    once = (triplet / "out.safetensors").read_bytes()
    same, other = (again(_made(tmp_path / seed), frames, "--attention", "triplet", "--seed", seed) for seed in "08")
    assert once == same
    assert once != other


@pytest.mark.parametrize("attention", example.ATTENTIONS)
def test_two_steps_are_those_of_the_package(attention: str):
    torch.manual_seed(0)
    networks = example.build(attention)
    patchgan = ["discriminator=discriminator", "discriminator.width=32", "discriminator.halvings=2"]
    plain = ["discriminator.translation=0", "discriminator.cutout=0", "nce_identity=1", "optimizer.lr=2e-4"]
    settings = config(f"attention={attention}", *patchgan, *plain)
    method = build_method(settings)
    assert isinstance(method, CUT)
    data = batch(height=64, width=64)
    networks.G.fit_colours(colours_of(data.x), colours_of(data.y))
    for name in ("G", "D", "H"):
        ours, theirs = getattr(networks, name).double(), getattr(method, name).double()
        with torch.no_grad():  # away from a start at which G is the identity
            for parameter in ours.parameters():
                parameter += 0.02 * torch.randn_like(parameter)
        theirs.load_state_dict(ours.state_dict())
    optimizer = instantiate(settings.optimizer)
    players = [optimizer(method.discriminator_parameters()), optimizer(method.generator_parameters())]

    for number in range(2):
        key = data.key + number
        state = method.forward_pass(Batch(data.x.double(), data.y.double(), key, 0.0))
        expected = {}
        for player, terms_of in zip(players, (method.discriminator_terms, method.generator_terms), strict=True):
            method.zero_grad()
            terms = terms_of(state)
            torch.stack(list(terms.values())).sum().backward()
            player.step()
            expected |= {name: float(term.detach()) for name, term in terms.items()}
        terms = example.step(networks, data.x.double(), data.y.double(), key, noise.fork(key, _Y_STREAM))
        # float64 on both sides: sums of another order
        assert terms == pytest.approx(expected, rel=1e-9)
    for name in ("G", "D", "H"):
        ours, theirs = (getattr(one, name).state_dict() for one in (networks, method))
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)


def test_it_imports_neither_lightning_nor_hydra(frames: Path, tmp_path: Path):
    line = ["example", str(frames / "trainA"), str(frames / "trainB"), *TYPED]
    code = f"import runpy, sys; sys.argv = {line}; runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    code += "; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    imported = set(done.stdout.splitlines()[-1].split())
    assert "torch" in imported
    assert not imported & {"lightning", "pytorch_lightning", "hydra", "omegaconf"}


def test_it_is_made_of_losses_and_networks_alone():
    nodes = [node for node in ast.walk(ast.parse(SCRIPT.read_text())) if isinstance(node, ast.ImportFrom)]
    ours = [node.module for node in nodes if node.module and node.module.startswith("src")]
    assert {module.split(".")[1] for module in ours} == {"losses", "networks"}


def test_a_photograph_is_upright_as_the_package_reads_it(frames: Path, tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise for viewing
    with Image.open(frames / "trainA" / "0.png") as picture:
        picture.save(tmp_path / "turned.png", exif=exif)
    upright = read_image(tmp_path / "turned.png")
    assert upright.shape == (56, 40, 3)
    np.testing.assert_array_equal(to_pixels(example.frame(tmp_path / "turned.png", 32)[0]), upright)


def test_a_folder_that_is_not_there_is_answered_in_one_line(frames: Path, tmp_path: Path):
    line = (str(frames / "trainA"), "trainC", *TYPED, "--output", f"{tmp_path}/out.png")
    done = forked.run("examples.cut_with_attention", *line)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "trainC: there is no such folder\n"
    assert not list(tmp_path.iterdir())


@pytest.fixture
def refusal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    """What the script says at its end, when run in this process."""

    def answer(*arguments: object) -> str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "path", list(sys.path))
        monkeypatch.setattr(sys, "argv", ["example", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        return str(end.value.code)

    return answer


def test_a_folder_without_images_is_named(refusal: Callable[..., str], frames: Path):
    assert refusal(frames, frames / "trainB").startswith(f"{frames}: holds no .png, .jpg or .jpeg")


def test_an_image_smaller_than_the_crop_is_named(refusal: Callable[..., str], frames: Path):
    said = refusal(frames / "trainA", frames / "trainB")
    assert said == f"{frames / 'trainA' / '0.png'}: 56x40 pixels are too few for crops of 64; lower --size"


@pytest.mark.parametrize("size", [12, 2000])
def test_an_image_that_cannot_be_read_is_named(size: int, refusal: Callable[..., str], frames: Path, tmp_path: Path):
    """Cut off within its header, and behind it."""
    whole, folder = (frames / "trainA" / "0.png").read_bytes(), _made(tmp_path / "cut")
    assert len(whole) > size
    (folder / "a.png").write_bytes(whole[:size])
    said = refusal(folder, frames / "trainB", *TYPED)
    assert str(folder / "a.png") in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("option", ["--steps=0", "--size=34", "--size=28", "--output=nowhere/out.png", "--output=out"])
def test_an_option_that_cannot_be_is_named_before_anything_is_read(option: str, refusal: Callable[..., str]):
    said = refusal("x", "y", option)
    assert option.partition("=")[0] in said
    assert len(said.splitlines()) == 1


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
