"""The page's command without a browser: what it offers, what an answer holds, what it refuses in one line."""

import json
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from src import demo
from src.explain import explain
from src.system.errors import UserError
from src.translation.page.answer import Left, answer
from src.translation.translator import Translator
from tests import forked, labelled
from tests.labelled import composed
from tests.translation.video import films

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "checkpoints/streets_cut.safetensors"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("demo")
    return labelled.translator(base / "mine", "data=streets", "data.root=data/streets", "data.size=32", "data.load=32")


@pytest.fixture
def frame(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (37, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "frame.png")
    return tmp_path / "frame.png"


def offered(*overrides: str):
    return demo.offered(composed("demo", "accelerator=cpu", *overrides))


def test_what_is_shipped_is_offered_and_what_is_named_comes_first(run: Path, tmp_path: Path):
    assert list(offered()) == ["streets_cut"]
    assert list(offered(f"run={run}")) == ["run mine", "streets_cut"]
    (tmp_path / "other.safetensors").write_bytes(SHIPPED.read_bytes())
    assert list(offered(f"weights={tmp_path}/other.safetensors")) == ["other.safetensors", "streets_cut"]
    assert list(offered(f"weights={SHIPPED}")) == ["streets_cut.safetensors"]


def test_without_any_weights_it_says_what_to_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(demo, "SHIPPED", tmp_path)
    with pytest.raises(UserError, match=r"holds no weights; name run=<folder of a trained run> or weights=<file>$"):
        offered()


def test_an_answer_is_what_a_translator_gives_and_where_the_run_looks(run: Path, frame: Path, tmp_path: Path):
    done = answer("mine", offered(f"run={run}")["run mine"](), frame, tmp_path)
    expected = Translator.load(run).translate(Image.open(frame))
    assert (np.asarray(Image.open(done.output)) == np.asarray(expected)).all()
    assert (np.asarray(Image.open(done.source)) == np.asarray(Image.open(frame))).all()
    assert (done.width, done.film, done.unexplained) == (50, None, "")
    explain(composed("explain", f"run={run}", f"input={frame}", f"output={tmp_path / 'out'}", "accelerator=cpu"))
    assert done.maps is not None
    assert (np.asarray(Image.open(done.maps)) == np.asarray(Image.open(tmp_path / "out/frame.png"))).all()


def test_a_file_of_weights_says_why_it_has_no_score_maps(frame: Path, tmp_path: Path):
    done = answer("streets_cut", offered()["streets_cut"](), frame, tmp_path)
    assert done.maps is None
    assert done.unexplained == (
        "No score maps: streets_cut.safetensors holds the generator alone, without its attention; name its run by run=."
    )


def test_so_does_a_method_that_samples_no_patches(frame: Path, tmp_path: Path):
    run = labelled.translator(tmp_path / "run", "method=cyclegan", "data=streets", "data.size=32", "data.load=32")
    done = answer("run", offered(f"run={run}")["run run"](), frame, tmp_path)
    assert (done.maps, done.unexplained) == (None, "No score maps: cyclegan samples no patches.")


def test_a_frame_far_from_those_of_the_training_is_told(run: Path, tmp_path: Path):
    offer = offered(f"run={run}")["run mine"]()
    lines = []
    for height in (33, 64):
        Image.new("RGB", (40, height)).save(tmp_path / "a.png")
        lines.append(answer("mine", offer, tmp_path / "a.png", tmp_path).line)
    assert "It was trained on" not in lines[0]
    assert lines[1].endswith("s. It was trained on frames 32 pixels high, and paints worse the farther from that.")


def test_16_bits_are_read_by_the_runs_white(tmp_path: Path):
    run = labelled.translator(tmp_path / "run", "data=streets", "data.size=32", "data.load=32", "data.white=4095")
    Image.fromarray(np.full((32, 40), 4095, np.uint16)).save(tmp_path / "a.png")
    done = answer("run", offered(f"run={run}")["run run"](), tmp_path / "a.png", tmp_path)
    assert (np.asarray(Image.open(done.source)) == 255).all()


def test_a_film_is_translated_and_its_first_frame_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Translator, "translate", lambda *images: pytest.fail("a frame is translated twice"))
    frames = films.moving(5)
    path = films.write(tmp_path / "a.mp4", frames)
    done = answer("shipped", offered()["streets_cut"](), path, tmp_path)
    assert done.film == tmp_path / "a_translated.mp4"
    translated, _ = films.read(done.film)
    assert len(translated) == 5
    assert " 5 frames of 0.2 s: translated by shipped in " in done.line
    shown = np.asarray(Image.open(done.output)).astype(int)
    assert shown.shape == frames[0].shape
    assert np.abs(shown - translated[0]).mean() < 3  # of 255, by H.264
    assert (np.asarray(Image.open(done.source)).astype(int) - frames[0]).__abs__().mean() < 3


def test_a_film_is_dropped_once_its_visitor_has_left(tmp_path: Path):
    path = films.write(tmp_path / "a.mp4", films.moving(30))
    asked = []

    def has_left() -> bool:
        asked.append(True)
        return len(asked) > 3

    with pytest.raises(Left):
        answer("shipped", offered()["streets_cut"](), path, tmp_path, has_left)
    assert len(asked) == 4
    assert [one.name for one in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("memory_limit=0", "memory_limit must be > 0 GiB, got 0.0"),
        ("accelerator=tpu", "accelerator=tpu: not to be had here; "),
        ("run=nowhere", "nowhere"),
        ("weights=nowhere.safetensors", "nowhere.safetensors: no such file; check the path"),
    ],
)
def test_what_is_mistaken_is_refused_before_there_is_a_page(override: str, line: str):
    with pytest.raises(UserError) as refused:
        next(iter(demo.offered(composed("demo", override)).values()))()
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)


def test_without_gradio_one_line_names_the_extra():
    done = forked.run("tests.without", "gradio", "src.demo")
    assert done.returncode == 1
    assert done.stderr == "the page needs the package gradio; pip install -e '.[demo]'\n"


def test_a_port_that_is_taken_is_said_in_one_line():
    pytest.importorskip("gradio")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = forked.run("src.demo", f"port={port}", "accelerator=cpu")
    assert done.returncode == 1
    assert done.stderr == f"port={port}: cannot be had at 127.0.0.1 (Address already in use); name another\n"
    assert not done.stdout


@pytest.fixture(scope="module")
def unserved() -> dict[str, Any]:
    """Of a page in a process of its own, as Gradio leaves event loops open."""
    pytest.importorskip("gradio")
    done = forked.run("tests.translation.page.unserved")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_queue_is_as_long_as_it_is_told_and_nobody_is_told_of_the_page(unserved: dict[str, Any]):
    # asking for a translation, of which there is one at a time, and leaving, which waits for none
    assert unserved["queue"] == [3, False, [["private", 1], ["private", "default"]]]


def test_a_page_forgets_whose_tabs_were_closed_long_ago(unserved: dict[str, Any]):
    kept, left = unserved["remembered"]
    assert kept < 2000  # of 10,000
    assert left == [True, True, False]


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("localhost", True), ("0.0.0.0", False), ("example.org", False)],
)
def test_an_address_of_this_machine_alone_is_known(host: str, alone: bool):
    assert demo._is_this_machine(host) == alone
