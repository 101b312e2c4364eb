"""Translating files and folders with a finished run."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from src.config.build import build_method
from src.data.images import Pixels, read_image
from src.data.transforms import to_pixels, to_tensor
from src.networks.generator import Generator
from src.runs.folder import save_config
from src.runs.weights import load_translator, save_weights
from src.system.errors import UserError
from src.training.average import WeightAverage
from src.translate import main
from src.translation import any_size
from src.translation.any_size import BATCH, translate_images
from src.translation.frames import Job
from src.translation.frames import translate as translate_files
from src.translation.jobs import plan
from src.translation.manifest import MANIFEST
from src.translation.scale import Scale
from src.translation.strips import strips
from src.translation.translate import translate_inputs
from src.translation.video.translation import Note, translate_video
from tests import forked, labelled
from tests.bad_inputs import refusal
from tests.conftest import TINY, config
from tests.translation.video import films


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    cfg = config(*TINY, "attention=none")
    torch.manual_seed(0)
    method = build_method(cfg)
    for parameter in method.G.parameters():
        # beyond the near-grey output of fresh weights
        torch.nn.init.normal_(parameter, std=0.1)
    resolved = OmegaConf.create(OmegaConf.to_container(cfg, resolve=False))
    for key in ("data", "callbacks", "logger", "metrics"):
        del resolved[key]
    save_config(folder, resolved)
    save_weights(folder, method, WeightAverage(method.G, decay=0.9).network)
    return folder


def write(path: Path, height: int, width: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def translate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return forked.run("src.translate", *arguments)


def test_a_folder_becomes_pngs_of_the_same_names_and_sizes(run: Path, tmp_path: Path):
    shapes = {"a.jpg": (33, 47), "deep/b.png": (64, 20), "deep/c.webp": (5, 9)}
    for name, shape in shapes.items():
        write(tmp_path / "in" / name, *shape)
    done = translate(f"run={run}", f"input={tmp_path / 'in'}", f"output={tmp_path / 'out'}")
    assert done.returncode == 0, done.stderr
    images = [path for path in (tmp_path / "out").rglob("*.*") if path.name != MANIFEST]
    written = {str(path.relative_to(tmp_path / "out")): read_image(path).shape[:2] for path in images}
    expected = {str(Path(name).with_suffix(".png")): shape for name, shape in shapes.items()}
    assert written == expected
    assert done.stdout.strip() == str(tmp_path / "out")


def test_16_bits_are_read_as_the_run_was_trained_or_as_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    trained = labelled.translator(tmp_path / "run", "data=folders", "data.root=.", "data.white=4080")
    grey = np.random.default_rng(0).integers(0, 256, (32, 48), dtype=np.uint8)
    (tmp_path / "in").mkdir()
    Image.fromarray(grey).save(tmp_path / "in/plain.png")
    Image.fromarray(grey.astype(np.uint16) * 16).save(tmp_path / "in/deep.png")
    (tmp_path / "in/b.tif").write_bytes(b"")

    def outputs(name: str, *own: str) -> list[np.ndarray]:
        call(f"run={trained}", f"input={tmp_path / 'in'}", f"output={tmp_path / name}", *own)
        assert f"input={tmp_path / 'in'}: 1 files passed over: .tif 1; " in capsys.readouterr().err
        return [read_image(tmp_path / name / f"{kind}.png") for kind in ("plain", "deep")]

    np.testing.assert_array_equal(*outputs("as trained"))
    plain, deep = outputs("as asked", "white=65535")
    assert np.abs(plain.astype(int) - deep).mean() > 5
    with pytest.raises(UserError, match=r"^output=.* was made by other weights"):
        outputs("as trained", "white=65535")
    with pytest.raises(UserError, match=r"^white is .* must lie in \[255, 65535\], got 0$"):
        outputs("new", "white=0")


def test_a_single_file_and_the_raw_weights(run: Path, tmp_path: Path):
    write(tmp_path / "a.png", 32, 32)
    for average in ("true", "false"):
        out = tmp_path / average
        call(f"run={run}", f"input={tmp_path / 'a.png'}", f"output={out}", f"average={average}")
        assert read_image(out / "a.png").shape == (32, 32, 3)


def test_the_output_is_the_networks(run: Path):
    network = load_translator(run, average=True)
    images = torch.rand(2, 3, 40, 64) * 2 - 1
    torch.testing.assert_close(translate_images(network, images), network(images), atol=1e-6, rtol=0)


def test_a_padded_border_is_cut_off_again(run: Path):
    network = load_translator(run, average=True)
    images = torch.rand(2, 3, 37, 50) * 2 - 1
    padded = torch.nn.functional.pad(images, (0, 2, 0, 3), mode="replicate")
    torch.testing.assert_close(translate_images(network, images), network(padded)[:, :, :37, :50], atol=1e-6, rtol=0)


def test_above_the_memory_limit_the_output_stays_the_whole_frames(run: Path, monkeypatch: pytest.MonkeyPatch):
    network = load_translator(run, average=True)
    images = torch.nn.functional.interpolate(torch.rand(2, 3, 6, 9) * 2 - 1, (93, 141), mode="bicubic").clamp(-1, 1)
    whole = translate_images(network, images)
    monkeypatch.setattr(strips, "SCRATCH", 0)
    size, kept = (96, 144), []
    in_strips = any_size.translate_in_strips

    def spy(generator, image, *, keep):
        kept.append(keep)
        return in_strips(generator, image, keep=keep)

    monkeypatch.setattr(any_size, "translate_in_strips", spy)
    for keep in (True, False):
        limit = strips.working_bytes(network, *size, keep=keep) / 2**30
        # half of 1 / 255 is allowed; rounding alone is a thousandth of that
        torch.testing.assert_close(translate_images(network, images, limit), whole, atol=1 / 255, rtol=0)
    assert kept == [True, True, False, False]
    with pytest.raises(UserError, match=r"memory_limit=.*a frame of 141x93 needs .* GiB; raise the limit, or .* size="):
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
    network = load_translator(run, average=True)
    shapes = [(16, 24), (24, 16), (16, 24)] * 7
    for number, shape in enumerate(shapes):
        write(tmp_path / f"in/{number:02d}.png", *shape)
        # pixels are drawn by the shape: mark each frame
        Image.fromarray(np.roll(read_image(tmp_path / f"in/{number:02d}.png"), number, axis=1)).save(
            tmp_path / f"in/{number:02d}.png"
        )
    batches = []
    hook = network.register_forward_pre_hook(lambda module, inputs: batches.append(len(inputs[0])))
    translate_files(network, plan(str(tmp_path / "in"), tmp_path / "out"), torch.device("cpu"))
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
    network = load_translator(run, average=True)
    with pytest.raises(UserError, match="cannot be written"):
        translate_files(network, plan(str(tmp_path / "in"), tmp_path / "out"), torch.device("cpu"))


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
    refusal.assert_refused(refusal.run("translate", [argument.format(**paths) for argument in arguments]), message)
    assert not list(tmp_path.glob("out/**/*.*"))


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def call(*arguments: str) -> Path:
    """As the command line would compose and do it."""
    return translate_inputs(labelled.composed("translate", *arguments, "accelerator=cpu"))


@pytest.mark.parametrize(("form", "suffix", "magic"), [("jpeg", ".jpg", b"\xff\xd8"), ("webp", ".webp", b"RIFF")])
def test_other_formats(run: Path, tmp_path: Path, form: str, suffix: str, magic: bytes):
    coarse = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    (tmp_path / "in").mkdir()
    Image.fromarray(coarse).resize((60, 52), Image.Resampling.BICUBIC).save(tmp_path / "in/a.jpeg")
    for each in ("png", form):
        call(f"run={run}", f"input={tmp_path / 'in'}", f"output={tmp_path / 'out'}", f"format={each}")
    assert names(tmp_path / "out") == sorted([MANIFEST, "a.png", f"a{suffix}"])
    assert (tmp_path / "out" / f"a{suffix}").read_bytes().startswith(magic)
    exact, lossy = (np.asarray(Image.open(tmp_path / "out" / f"a{one}").convert("L"), int) for one in (".png", suffix))
    assert 0 < np.abs(exact - lossy).mean() < 4  # of 255; quality 95 loses something, but little


def test_a_second_call_makes_only_what_is_missing(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for name in ("a", "b", "c", "d"):
        write(tmp_path / f"in/{name}.png", 16, 20 + ord(name))
    arguments = (f"run={run}", f"input={tmp_path / 'in'}", f"output={tmp_path / 'out'}")
    call(*arguments)
    reference = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.png")}
    times = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.png")}
    (tmp_path / "out/b.png").unlink()
    write(tmp_path / "in/c.png", 16, 16)  # another source under the same name
    call(*arguments)
    assert "2 of 4 are there already, made by the same weights" in capsys.readouterr().err
    anew = {path.name for path in (tmp_path / "out").glob("*.png") if path.stat().st_mtime_ns != times[path.name]}
    assert anew == {"b.png", "c.png"}
    assert (tmp_path / "out/b.png").read_bytes() == reference["b.png"]
    assert read_image(tmp_path / "out/c.png").shape == (16, 16, 3)


def test_what_other_weights_or_hands_made_is_not_overwritten_unless_told(run: Path, tmp_path: Path):
    for name in ("a", "b"):
        write(tmp_path / f"in/{name}.png", 16, 20)
    out = tmp_path / "out"
    arguments = (f"run={run}", f"input={tmp_path / 'in'}", f"output={out}")
    write(out / "a.png", 4, 4)
    before = (out / "a.png").read_bytes()
    with pytest.raises(
        UserError, match=r"a\.png is there and is not as this command made it; name another folder, or o"
    ):
        call(*arguments)
    assert names(out) == ["a.png"]
    assert (out / "a.png").read_bytes() == before
    call(*arguments, "overwrite=true")
    assert read_image(out / "a.png").shape == (16, 20, 3)
    made = {name: (out / name).read_bytes() for name in names(out)}
    with pytest.raises(
        UserError,
        match=r"out: a\.png was made by other weights, or at another size; name another folder, or overwrite=true",
    ):
        call(*arguments, "average=false")
    (out / "b.png").write_bytes(b"mine now")
    with pytest.raises(UserError, match=r"b\.png is there and is not as"):
        call(*arguments)
    assert {name: (out / name).read_bytes() for name in names(out)} == {**made, "b.png": b"mine now"}
    call(*arguments, "average=false", "overwrite=true")
    call(*arguments, "average=false")


def test_a_kill_at_any_moment_is_made_good_by_the_same_call(run: Path, tmp_path: Path):
    for name in ("a", "b"):
        write(tmp_path / f"in/{name}.png", 16, 20)
    out = tmp_path / "out"
    arguments = (f"run={run}", f"input={tmp_path / 'in'}", f"output={out}")
    call(*arguments)
    whole = {name: (out / name).read_bytes() for name in ("a.png", "b.png")}
    lines = (out / MANIFEST).read_bytes().splitlines(keepends=True)
    last = json.loads(lines[1])["file"]
    # before the last file's line, within it, and between it and the file
    for manifest in (lines[0], lines[0] + lines[1][:40], lines[0] + lines[1]):
        (out / MANIFEST).write_bytes(manifest)
        (out / last).unlink()
        call(*arguments)
        assert {name: (out / name).read_bytes() for name in whole} == whole
    call(*arguments)


def test_a_film_and_its_numbers(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write(tmp_path / "in/b.png", 16, 20)
    films.write(tmp_path / "in/a drive, 1.mp4", films.moving(10))
    arguments = [f"run={run}", f'input="{tmp_path}/in/*[1b].*"', f"output={tmp_path / 'out'}", "accelerator=cpu"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["src/translate.py", *arguments])
        main()
    first = capsys.readouterr()
    assert names(tmp_path / "out") == [MANIFEST, "a drive, 1.mp4", "b.png"]
    numbers, where = first.out.splitlines()
    told = json.loads(numbers)
    assert where == str(tmp_path / "out")
    assert (told["video"], told["frames"], told["sound"]) == (f"{tmp_path}/out/a drive, 1.mp4", 10, 1)
    assert told["flicker"] == pytest.approx(told["change_output"] - told["change_source"])
    frames, _ = films.read(tmp_path / "in/a drive, 1.mp4")
    network = load_translator(run, average=True)
    expected = to_pixels(translate_images(network, to_tensor(frames[3])[None])[0]).astype(int)
    output, _ = films.read(tmp_path / "out/a drive, 1.mp4")
    # H.264 and 4:2:0 take something of a random network's noise
    assert np.abs(output[3] - expected).mean() < np.abs(frames[3] - expected).mean() / 3
    assert call(*arguments) == tmp_path / "out"
    again = capsys.readouterr()
    assert again.out.splitlines() == [numbers]
    assert "2 of 2 are there already" in again.err


def test_torn_or_foreign_weights_are_refused(run: Path, tmp_path: Path):
    for name in ("config.yaml", "weights.safetensors"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    whole = (run / "weights.safetensors").read_bytes()
    (tmp_path / "weights.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="not a readable safetensors file"):
        load_translator(tmp_path, average=True)
    (tmp_path / "weights.safetensors").write_bytes(whole)
    text = (run / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(text.replace("width: 4", "width: 6"))
    with pytest.raises(UserError, match=r"does not fit config\.yaml"):
        load_translator(tmp_path, average=True)
    (tmp_path / "weights.safetensors").unlink()
    with pytest.raises(UserError, match="continue it with resume="):
        load_translator(tmp_path, average=True)


def test_nothing_but_the_generator_is_built_of_a_run(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.copy(run / "weights.safetensors", tmp_path)
    saved = OmegaConf.load(run / "config.yaml")
    saved.method.discriminator = {
        "_target_": "src.networks.projected.ProjectedDiscriminator",
        "_partial_": True,
        "width": 4,
    }
    OmegaConf.save(saved, tmp_path / "config.yaml")
    monkeypatch.setattr("src.networks.projected.frozen", lambda lite: pytest.fail("D is built"))
    for average in (True, False):
        expected = load_translator(run, average=average).state_dict()
        found = load_translator(tmp_path, average=average).state_dict()
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_a_source_that_changes_or_goes_while_it_is_translated(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As on a disk that others write to: the output is of what was read, and of no later content."""
    for name in ("changes", "goes"):
        write(tmp_path / f"in/{name}.png", 16, 20)
    arguments = (f"run={run}", f"input={tmp_path / 'in'}", f"output={tmp_path / 'out'}")

    def read(path: Path, white: int) -> Pixels:
        pixels = read_image(path, white)
        if path.stem == "goes":
            path.unlink()
        else:
            write(path, 24, 28)
        return pixels

    with monkeypatch.context() as patch:
        patch.setattr("src.translation.translate.read_image", read)
        call(*arguments)
    assert {read_image(tmp_path / f"out/{name}.png").shape for name in ("changes", "goes")} == {(16, 20, 3)}
    call(*arguments)
    assert read_image(tmp_path / "out/changes.png").shape == (24, 28, 3)


def test_a_film_that_grows_while_it_is_translated_is_made_anew(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    film = films.write(tmp_path / "drive.mkv", films.moving(2), sound=None)
    arguments = (f"run={run}", f"input={film}", f"output={tmp_path / 'out'}")

    def growing(network: torch.nn.Module, job: Job, where: torch.device, limit: float, note: Note, scale: Scale):
        def later(*told: object, **more: object) -> None:
            films.write(film, films.moving(3), sound=None)
            note(*told, **more)

        translate_video(network, job, where, limit, later, scale)

    with monkeypatch.context() as patch:
        patch.setattr("src.translation.translate.translate_video", growing)
        call(*arguments)
    capsys.readouterr()
    call(*arguments)
    assert json.loads(capsys.readouterr().out)["frames"] == 3


def test_an_image_that_a_format_cannot_hold_is_one_line(tmp_path: Path):
    write(tmp_path / "a.png", 170, 16_384)
    with pytest.raises(UserError, match=r"a\.webp: has 16384 pixels a side, and \.webp holds 16383; choose format=png"):
        translate_files(torch.nn.Identity(), [(tmp_path / "a.png", tmp_path / "out/a.webp")], torch.device("cpu"))
    assert not (tmp_path / "out/a.webp").exists()
