"""The streets: equal bytes each time, true layouts, all or nothing on disk, and two domains that differ."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import numpy.typing as npt
import pytest
from filelock import FileLock
from PIL import Image

from src.data.streets import frames as frames_module
from src.data.streets import write
from src.data.streets.camera import CAMERA
from src.data.streets.classes import COLOURS, SKY, VEGETATION, palette
from src.data.streets.game import GAME
from src.data.streets.look import Domain
from src.data.streets.render import render
from src.data.streets.view import HEIGHT, WIDTH
from src.system.errors import UserError
from tests.conftest import CONF

FEW = list(write.all_frames(2, {("train", "altenbruck"): 2, ("val", "lindenau"): 1}))
STATISTICS_FRAMES = 40

Frames = list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with two game frames, two to train on and one to validate."""
    root = tmp_path_factory.mktemp("streets") / "streets"
    write.write_frames(root, FEW)
    return root


@pytest.fixture(scope="module")
def frames() -> dict[str, Frames]:
    """Frames of both domains by name."""
    return {d.name: [render(d, k) for k in range(STATISTICS_FRAMES)] for d in (GAME, CAMERA)}


def test_frames_are_equal_in_any_order(tmp_path: Path, few: Path) -> None:
    write.write_frames(tmp_path / "again", FEW[::-1])
    assert write.streets_digest(tmp_path / "again") == write.streets_digest(few)


def test_layout_is_that_of_the_real_sets(few: Path) -> None:
    names = {path.relative_to(few).as_posix() for path in few.rglob("*") if path.is_file()}
    city = "altenbruck_000001_000019"
    assert {
        "streets.json",
        "playing_for_data/images/00001.png",
        "playing_for_data/labels/00002.png",
        f"cityscapes/leftImg8bit/train/altenbruck/{city}_leftImg8bit.png",
        f"cityscapes/gtFine/train/altenbruck/{city}_gtFine_labelIds.png",
        f"cityscapes/gtFine/train/altenbruck/{city}_gtFine_color.png",
        "cityscapes/leftImg8bit/val/lindenau/lindenau_000000_000019_leftImg8bit.png",
    } <= names
    assert len(names) == 1 + 2 * 2 + 3 * 3


def test_pictures_have_their_modes_and_one_size(few: Path) -> None:
    modes = {"images": "RGB", "labels": "P", "leftImg8bit": "RGB", "labelIds": "L", "color": "RGB"}
    for path in few.rglob("*.png"):
        key = path.parent.name if path.parent.name in modes else path.stem.rpartition("_")[2]
        with Image.open(path) as image:
            assert (image.mode, image.size) == (modes[key], (WIDTH, HEIGHT)), path.name


def test_palette_and_colours_are_those_of_cityscapes(few: Path) -> None:
    with Image.open(few / "playing_for_data/labels/00001.png") as image:
        stored = image.getpalette()
    assert stored is not None
    assert stored == palette()[: len(stored)]
    assert stored[7 * 3 : 8 * 3] == [128, 64, 128]
    stem = few / "cityscapes/gtFine/val/lindenau/lindenau_000000_000019_gtFine"
    ids = np.array(Image.open(f"{stem}_labelIds.png"))
    colours = np.array(Image.open(f"{stem}_color.png"))
    for label in np.unique(ids):
        assert (colours[ids == label] == COLOURS[int(label)]).all()


def test_every_id_is_a_cityscapes_id(frames: dict[str, Frames]) -> None:
    for domain in frames.values():
        assert {int(i) for _, labels in domain for i in np.unique(labels)} <= set(COLOURS)


def test_marker_tells_version_frames_and_digest(few: Path) -> None:
    marker = json.loads((few / "streets.json").read_text())
    assert marker == {"version": write.VERSION, "frames": len(FEW), "digest": write.streets_digest(few)}


def test_the_whole_set_has_its_counts() -> None:
    jobs = list(write.all_frames(write.GAME_FRAMES, write.CITY_FRAMES))
    names = [name for _, _, files in jobs for name in files.values()]
    assert len(names) == len(set(names)) == 500 * 2 + 500 * 3
    assert sum("leftImg8bit/val/" in name for name in names) == 100


def test_an_error_leaves_no_root_and_the_next_command_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, rendered = tmp_path / "streets", []

    def fail(domain: Domain, index: int) -> object:
        if domain is CAMERA:
            raise RuntimeError("stop")
        return render(domain, index)

    def count(domain: Domain, index: int) -> object:
        rendered.append((domain.name, index))
        return render(domain, index)

    monkeypatch.setattr(frames_module, "render", fail)
    with pytest.raises(RuntimeError, match="stop"):
        write.write_frames(root, FEW)
    assert not root.exists()
    scratch = tmp_path / ".streets-1.part"
    (scratch / "playing_for_data/images/.00002.png.part").write_bytes(b"killed while writing")
    torn = scratch / "playing_for_data/labels/00001.png"
    torn.write_bytes(torn.read_bytes()[:-5])
    monkeypatch.setattr(frames_module, "render", count)
    write.write_frames(root, FEW)
    assert rendered == [("playing_for_data", 0), *(("cityscapes", index) for index in range(3))]
    assert [path.name for path in tmp_path.iterdir()] == ["streets"]


def test_a_set_that_was_gone_on_with_equals_one_drawn_at_once(
    tmp_path: Path, few: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "streets_digest", None)
    with pytest.raises(TypeError):
        write.write_frames(tmp_path / "streets", FEW[:3])  # drawn, and then stopped
    monkeypatch.undo()
    write.write_frames(tmp_path / "streets", FEW)
    assert write.streets_digest(tmp_path / "streets") == write.streets_digest(few)


def test_processes_draw_the_same_bytes(tmp_path: Path, few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "LEAST", 1)
    monkeypatch.setattr(write, "cores", lambda: 2)
    monkeypatch.setattr(write, "draw", None)  # not in this process
    write.write_frames(tmp_path / "streets", FEW)
    assert write.streets_digest(tmp_path / "streets") == write.streets_digest(few)


def test_what_cannot_be_written_by_a_process_is_said_as_by_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "LEAST", 1)
    monkeypatch.setattr(write, "cores", lambda: 2)
    (tmp_path / ".streets-1.part").mkdir()
    (tmp_path / ".streets-1.part/cityscapes").write_text("a file where a folder should be")
    with pytest.raises(NotADirectoryError) as raised:
        write.write_frames(tmp_path / "streets", FEW)
    assert str(raised.value.filename).startswith(str(tmp_path / ".streets-1.part/cityscapes"))
    assert not (tmp_path / "streets").exists()


def test_the_death_of_a_process_that_draws_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "LEAST", 1)
    monkeypatch.setattr(write, "cores", lambda: 2)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(UserError, match=r"has died \(exit code 1\).*the same command goes on$"):
        write.write_frames(tmp_path / "streets", FEW)


def test_a_faster_process_is_waited_for_and_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "streets"
    has_it = Event()

    def other() -> None:
        with FileLock(tmp_path / ".streets.lock"):
            has_it.set()
            time.sleep(2)
            root.mkdir()
            (root / "streets.json").write_text(json.dumps({"version": write.VERSION}))

    monkeypatch.setattr(frames_module, "render", None)
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(other)
        has_it.wait()
        write.write_frames(root, FEW[:1])
        done.result()
    assert capsys.readouterr().err == f"{root}: another process draws the streets there; waiting for it\n"
    assert [path.name for path in tmp_path.iterdir()] == ["streets"]
    assert [path.name for path in root.iterdir()] == ["streets.json"]


def test_a_complete_root_is_left_alone(few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames_module, "render", None)
    before = (few / "streets.json").stat().st_mtime_ns
    write.write_streets(few)
    assert (few / "streets.json").stat().st_mtime_ns == before


@pytest.mark.parametrize("marker", ['{"version": "0"}', "not json", None])
def test_a_foreign_root_is_refused(tmp_path: Path, marker: str | None) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    if marker is not None:
        (tmp_path / "streets.json").write_text(marker)
    with pytest.raises(UserError, match="another root"):
        write.write_streets(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "keep me"


def _share(frames: Frames, label: int) -> float:
    return float(np.mean([(labels == label).mean() for _, labels in frames]))


def test_the_camera_sees_more_trees_and_less_sky(frames: dict[str, Frames]) -> None:
    game, camera = frames[GAME.name], frames[CAMERA.name]
    assert _share(camera, VEGETATION) > 1.5 * _share(game, VEGETATION)
    assert _share(camera, SKY) < 0.7 * _share(game, SKY)


def test_the_camera_is_greyer(frames: dict[str, Frames]) -> None:
    chroma = {
        name: np.mean([np.ptp(rgb.astype(int), axis=2).mean() for rgb, _ in domain]) for name, domain in frames.items()
    }
    assert chroma[CAMERA.name] < 0.6 * chroma[GAME.name]


def test_the_camera_is_noisier(frames: dict[str, Frames]) -> None:
    def noise(rgb: npt.NDArray[np.uint8]) -> float:
        # median absolute second difference: edges are rare, noise is everywhere
        green = rgb[..., 1].astype(int)
        return float(np.median(np.abs(green[:, 2:] - 2 * green[:, 1:-1] + green[:, :-2])))

    levels = {name: np.mean([noise(rgb) for rgb, _ in domain]) for name, domain in frames.items()}
    assert levels[CAMERA.name] > 2 * levels[GAME.name]


DRAWING = """
import sys
from pathlib import Path
from src.data.streets.write import write_streets
from src.system import stopping
if __name__ == "__main__":
    with stopping.ending("stopped"):
        write_streets(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "terminated"])
def test_a_stop_while_the_streets_are_drawn_ends_all_processes_and_leaves_whole_frames(
    number: signal.Signals, tmp_path: Path
):
    """As a terminal sends it: Ctrl-C to all processes of the group."""
    script = tmp_path / "drawing.py"
    script.write_text(DRAWING)
    folder = tmp_path / "data"
    drawing = subprocess.Popen(
        [sys.executable, str(script), str(folder / "streets")],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(CONF.parent)}, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(folder.glob(".streets-*/playing_for_data/labels/0*.png")):
        assert time.monotonic() < deadline
        assert drawing.poll() is None, drawing.communicate()[1]
        time.sleep(0.05)
    (os.killpg if number == signal.SIGINT else os.kill)(drawing.pid, number)
    begun = time.monotonic()
    said = drawing.communicate(timeout=60)[1]
    assert time.monotonic() - begun < 30  # a second on an idle machine; the whole set takes minutes
    assert drawing.returncode == 128 + number
    assert [line for line in re.split(r"[\r\n]+", said) if line.strip() and "frame" not in line] == ["stopped"]
    kept = sorted(folder.rglob("*.png"))
    time.sleep(1)
    assert sorted(folder.rglob("*.png")) == kept  # nobody goes on
    assert not (folder / "streets").exists()
    for path in kept:
        with Image.open(path) as image:
            image.load()
