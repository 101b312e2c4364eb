"""Translators far from the height they were trained at: what is said, and what size= does about it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from src.data.images import Pixels, read_image
from src.system.errors import UserError
from src.translation import frames
from src.translation.frames import translate, translate_frames
from src.translation.scale import Scale
from src.translation.translate import translate_inputs
from src.translation.video.film import Film
from src.translation.video.translation import translate_video
from src.translation.weights import load
from src.translation.weights.export import export
from tests import labelled
from tests.labelled import composed
from tests.translation.video import films

CPU = torch.device("cpu")


class Seen(nn.Module):
    """Adds a constant, and remembers the sizes it was given."""

    def __init__(self, change: float = 0.0) -> None:
        super().__init__()
        self.change = change
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, images_B3HW: Tensor) -> Tensor:
        self.shapes.append(tuple(images_B3HW.shape))
        return images_B3HW + self.change


def picture(height: int, width: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(40, 200, (height, width, 3), dtype=np.uint8)


def write(path: Path, height: int, width: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(height, width)).save(path)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained at 64 pixels, says its configuration."""
    return labelled.translator(tmp_path_factory.mktemp("scale") / "run", "data=streets", "data.load=64")


def call(*arguments: str) -> Path:
    return translate_inputs(composed("translate", *arguments, "accelerator=cpu"))


def test_a_frame_far_from_the_training_is_named_once_with_both_heights(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for name in ("a", "b"):
        write(tmp_path / f"in/{name}.png", 132, 24)
    call(f"run={run}", f"input={tmp_path / 'in'}", f"output={tmp_path / 'out'}")
    said = [line for line in capsys.readouterr().err.replace("\r", "\n").splitlines() if "trained" in line]
    assert said == [
        f"{tmp_path}/in/a.png is 132 pixels high, the translator was trained at 64 and paints worse the farther from "
        "it; size=64 works at that height and comes back to the frame's own"
    ]


@pytest.mark.parametrize(("height", "told"), [(42, True), (44, False), (64, False), (96, False), (97, True)])
def test_near_heights_need_no_word(height: int, told: bool, capsys: pytest.CaptureFixture[str]):
    Scale(trained=64).look(Path("a.png"), height)
    assert bool(capsys.readouterr().err) == told
    Scale(trained=64, size=64).look(Path("a.png"), height)
    Scale().look(Path("a.png"), height)
    assert capsys.readouterr().err == ""


def test_a_size_is_worked_at_and_what_changes_there_is_added_to_the_frame():
    frame, network = picture(1052, 1914), Seen(0.2)
    (output,) = translate_frames(network, [frame], CPU, size=64)
    assert network.shapes == [(1, 3, 64, 116)]  # 1914 * 64 / 1052
    assert np.abs(output.astype(float) - frame - 0.2 * 127.5).max() <= 0.5 + 1e-3  # of a grey level


def test_a_translator_that_changes_nothing_leaves_every_pixel_at_any_size():
    for shape, size in (((40, 60), 32), ((40, 60), 100), ((33, 47), 33)):
        frame = picture(*shape)
        (output,) = translate_frames(Seen(), [frame], CPU, size=size)
        assert np.array_equal(output, frame)


def test_without_a_size_frames_are_taken_at_their_own():
    network = Seen()
    translate_frames(network, [picture(40, 60)], CPU)
    assert network.shapes == [(1, 3, 40, 60)]


def test_a_film_is_worked_at_a_size_too_and_keeps_its_own(tmp_path: Path):
    frames, network = films.moving(3, height=64, width=96), Seen()
    source = films.write(tmp_path / "a.mkv", frames, codec="ffv1", sound=None)
    translate_video(network, (source, tmp_path / "out/a.mkv"), CPU, scale=Scale(size=32))
    assert {shape[2:] for shape in network.shapes} == {(32, 48)}
    pictures = list(Film(tmp_path / "out/a.mkv").read())
    assert [one.pixels.shape for one in pictures] == [(64, 96, 3)] * 3
    assert np.abs(pictures[0].pixels.astype(int) - frames[0]).mean() < 4


def test_outputs_of_another_size_are_other_outputs(run: Path, tmp_path: Path):
    write(tmp_path / "in/a.png", 40, 48)
    command = [f"run={run}", f"input={tmp_path / 'in'}", f"output={tmp_path / 'out'}"]
    call(*command)
    before = read_image(tmp_path / "out/a.png")
    with pytest.raises(
        UserError, match="was made by other weights, or at another size; name another folder, or overwrite=true"
    ):
        call(*command, "size=32")
    call(*command, "size=32", "overwrite=true")
    assert not np.array_equal(read_image(tmp_path / "out/a.png"), before)


@pytest.mark.parametrize("size", [31, 8193, 0, -64])
def test_a_size_that_no_frame_has_is_refused(size: int, run: Path, tmp_path: Path):
    write(tmp_path / "in/a.png", 40, 48)
    with pytest.raises(UserError, match=rf"^size must lie in \[32, 8192\], got {size}$"):
        call(f"run={run}", f"input={tmp_path / 'in'}", f"output={tmp_path / 'out'}", f"size={size}")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("form", "suffix"), [("onnx", ".onnx"), ("torchscript", ".pt"), ("safetensors", ".safetensors")]
)
def test_an_exported_file_says_the_height_of_its_training(form: str, suffix: str, run: Path, tmp_path: Path):
    file = tmp_path / f"g{suffix}"
    export(composed("export", f"run={run}", f"format={form}", f"output={file}"))
    assert load.training_height(None, str(file)) == 64
    assert load.training_height(str(run), None) == 64


def test_a_file_that_says_none_is_taken_without_a_word(tmp_path: Path):
    assert load.training_height(None, str(tmp_path / "latest_net_G.pth")) is None
    assert load.training_height(None, "checkpoints/streets_cut.safetensors") == 128


class Bar:
    """A progress bar that writes what it is told into a list."""

    def __init__(self, events: list[str]) -> None:
        self.events = events

    def __call__(self, **options: object) -> "Bar":
        return self

    def update(self, count: int) -> None:
        self.events.append(f"{count} done")

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *error: object) -> None:
        return None


def test_progress_is_seen_by_the_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    events: list[str] = []
    monkeypatch.setattr(frames, "tqdm", Bar(events))
    network = Seen()
    network.register_forward_pre_hook(lambda module, inputs: events.append(f"{len(inputs[0])} begun"))
    jobs = [(write(tmp_path / f"{n}.png", 256, 256), tmp_path / f"out/{n}.png") for n in range(3)]
    translate(network, jobs, CPU)
    assert events == ["1 begun", "1 done"] * 3


def test_progress_of_a_film_is_seen_by_the_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = films.write(tmp_path / "a.mkv", films.moving(3, height=256, width=256), codec="ffv1", sound=None)
    network = Seen()
    translate_video(network, (source, tmp_path / "out/a.mkv"), CPU)
    assert [shape[0] for shape in network.shapes] == [1, 1, 1]
