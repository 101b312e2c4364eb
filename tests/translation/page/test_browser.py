"""The page as a visitor has it: the command itself, in a real browser; nothing is asked of anybody else."""

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from src.explain import explain
from src.translation.page.answer import Answer, Left
from src.translation.page.blocks import blocks
from src.translation.page.serving import quiet, served
from src.translation.page.upload import Limits
from src.translation.translator import Translator
from tests import labelled
from tests.labelled import composed
from tests.translation.video import films

ROOT = Path(__file__).resolve().parent.parent.parent.parent
SHIPPED = ROOT / "checkpoints/streets_cut.safetensors"
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
SLOW = 120_000  # milliseconds, for a machine with other work
LIMITS = ["megapixels=0.02", "megabytes=0.1", "seconds=1"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("page")
    return labelled.translator(base / "mine", "data=streets", "data.root=data/streets", "data.size=32", "data.load=32")


class Server:
    """The command, from its start to its end.

    Attributes:
        address: of the page.
        temporary: where it keeps its files.
    """

    def __init__(self, run: Path, temporary: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.temporary = temporary
        command = [sys.executable, "-m", "src.demo", f"run={run}", f"port={port}", "accelerator=cpu", *LIMITS]
        own = {**os.environ, "TMPDIR": str(temporary), "GRADIO_SHARE": "true", "GRADIO_SERVER_NAME": "0.0.0.0"}
        self._log = temporary.parent / "stderr.txt"
        # tests that a shell started in the background were told to ignore Ctrl-C, and would pass that on
        found = signal.signal(signal.SIGINT, signal.default_int_handler)
        with self._log.open("w") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=own, stdout=subprocess.PIPE, stderr=log, text=True)
        signal.signal(signal.SIGINT, found)
        self.address = f"http://127.0.0.1:{port}/"
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == f"{self.address} (Ctrl-C ends it)\n", self.said()

    def said(self) -> str:
        return self._log.read_text()

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(60)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


@pytest.fixture(scope="module")
def server(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    pytest.importorskip("gradio")
    (temporary := tmp_path_factory.mktemp("server") / "tmp").mkdir()
    started = Server(run, temporary)
    yield started
    started.end()


class Visit:
    """A page that was just opened, and the addresses that it asked."""

    def __init__(self, browser: Any, server: Server, viewport: dict[str, int] = DESK) -> None:
        self.context = browser.new_context(viewport=viewport)
        self.page = self.context.new_page()
        self.page.set_default_timeout(SLOW)
        self.asked: list[str] = []
        self.dialogs: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        self.policy = self.page.goto(server.address).headers["content-security-policy"]
        self.page.wait_for_selector("#upload input[type=file]", state="attached")

    def __enter__(self) -> "Visit":
        return self

    def __exit__(self, *error: object) -> None:
        self.context.close()

    def upload(self, file: Any) -> str:
        """What is said of it."""
        self.page.set_input_files("#upload input[type=file]", file)
        return self.page.locator("#said p").inner_text()

    def images(self) -> list[np.ndarray]:
        """Source and output under the slider, as files; the browser has them at the same size."""
        slider = self.page.locator("#slider img")
        slider.nth(1).wait_for()
        self.page.wait_for_function("[...document.querySelectorAll('#slider img')].every(one => one.naturalWidth > 0)")
        found = [self.pixels(slider.nth(number)) for number in range(2)]
        sizes = slider.evaluate_all("all => all.map(one => [one.naturalHeight, one.naturalWidth])")
        assert sizes == [list(pixels.shape[:2]) for pixels in found]
        return found

    def pixels(self, image: Any) -> np.ndarray:
        content = self.page.request.get(image.get_attribute("src")).body()
        return np.asarray(Image.open(io.BytesIO(content)))

    def download(self, button: str) -> Path:
        with self.page.expect_download() as waiting:
            self.page.click(button)
        return waiting.value


@pytest.fixture
def frame(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (97, 130, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "frame.png")
    return tmp_path / "frame.png"


def test_an_upload_is_translated_and_downloaded_and_explained(
    browser: Any, server: Server, run: Path, frame: Path, tmp_path: Path
):
    expected = np.asarray(Translator.load(run).translate(Image.open(frame)))
    with Visit(browser, server) as visit:
        assert visit.upload(frame).startswith("frame.png, 130x97 pixels: translated by run mine in ")
        source, output = visit.images()
        assert (source == np.asarray(Image.open(frame))).all()
        assert (output == expected).all()
        file = visit.download("#save")
        assert file.suggested_filename == "frame_translated.png"
        assert (np.asarray(Image.open(file.path())) == expected).all()
        assert not visit.page.locator("#film, #save_film").count()
        maps = visit.pixels(visit.page.locator("#maps img"))
        assert [url for url in visit.asked if not url.startswith((server.address, "data:", "blob:"))] == []
        assert "default-src 'self' " in visit.policy
    explain(composed("explain", f"run={run}", f"input={frame}", f"output={tmp_path / 'out'}", "accelerator=cpu"))
    assert (maps == np.asarray(Image.open(tmp_path / "out/frame.png"))).all()


def test_another_translator_makes_the_same_upload_anew(browser: Any, server: Server, frame: Path):
    expected = np.asarray(Translator.load(SHIPPED).translate(Image.open(frame)))
    with Visit(browser, server) as visit:
        visit.upload(frame)
        visit.page.locator("#maps img").wait_for()
        visit.page.get_by_label("streets_cut").check()
        visit.page.get_by_text("translated by streets_cut in ").wait_for()
        visit.page.get_by_text("No score maps: streets_cut.safetensors holds the generator alone").wait_for()
        visit.page.locator("#maps").wait_for(state="hidden")
        assert (visit.images()[1] == expected).all()


def test_a_film_is_given_back_as_one(browser: Any, server: Server, tmp_path: Path):
    path = films.write(tmp_path / "drive.mp4", films.moving(6))
    with Visit(browser, server) as visit:
        said = visit.upload(path)
        assert said.startswith("drive.mp4, 64x48 pixels, 6 frames of 0.2 s: translated by run mine in ")
        assert [one.shape for one in visit.images()] == [(48, 64, 3)] * 2
        file = visit.download("#save_film")
        assert file.suggested_filename == "drive_translated.mp4"
        file.save_as(tmp_path / "back.mp4")
        translated, _ = films.read(tmp_path / "back.mp4")
        assert [one.shape for one in translated] == [(48, 64, 3)] * 6
        visit.page.locator("#film video").wait_for()


def test_a_closed_page_ends_what_was_made_for_it(browser: Any, frame: Path):
    begun, ended = threading.Event(), threading.Event()

    def respond(label: str, path: Path, folder: Path, has_left: Callable[[], bool]) -> Answer:
        begun.set()
        while not has_left():
            time.sleep(0.05)
        ended.set()
        raise Left

    limits = Limits(megapixels=1, megabytes=1, seconds=1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with quiet(), served(blocks(["mine"], respond, limits, 2), "127.0.0.1", port, limits) as address:
        context = browser.new_context()
        page = context.new_page()
        page.goto(address)
        page.set_input_files("#upload input[type=file]", frame, timeout=SLOW)
        assert begun.wait(60)
        assert not ended.wait(1)
        context.close()
        assert ended.wait(60)


def bad(folder: Path, name: str) -> Path:
    (folder / name).write_bytes(b"no picture at all")
    return folder / name


def large(folder: Path, width: int) -> Path:
    Image.new("RGB", (width, 200)).save(folder / "large.png")
    return folder / "large.png"


def test_what_cannot_be_used_is_answered_in_a_line(browser: Any, server: Server, frame: Path, tmp_path: Path):
    with Visit(browser, server) as visit:
        for path, line in [
            (bad(tmp_path, "bad.png"), "bad.png: cannot be read as an image ("),
            (bad(tmp_path, "bad.mp4"), "bad.mp4: cannot be read as a video ("),
            (large(tmp_path, 101), "large.png: has 101x200 pixels, more than 0.02 megapixels; shrink it"),
            (
                films.write(tmp_path / "long.mp4", films.moving(30)),
                "long.mp4: lasts 1.2 s, more than 1; cut it shorter",
            ),
        ]:
            said = visit.upload(path)
            assert said.startswith(line)
            assert "\n" not in said
            assert not visit.page.locator("#slider").is_visible()
            visit.page.locator("#upload").get_by_label("Clear").click()
            visit.page.locator("#said p").wait_for(state="detached")
        visit.upload(frame)
        assert len(visit.images()) == 2
    assert "Traceback" not in server.said()


def test_too_many_bytes_are_refused_by_the_upload_itself(browser: Any, server: Server, tmp_path: Path):
    (tmp_path / "heavy.png").write_bytes(bytes(100_001))
    with Visit(browser, server) as visit:
        visit.page.set_input_files("#upload input[type=file]", tmp_path / "heavy.png")
        toast = visit.page.locator(".toast-body")
        toast.wait_for()
        assert "exceed" in toast.inner_text()
        assert not visit.page.locator("#said p").count()
    assert "Traceback" not in server.said()


def test_a_strangers_name_runs_nothing(browser: Any, server: Server, frame: Path):
    name = "<img src=x onerror=alert(1)>${alert(2)}{{alert(3)}}.png"
    with Visit(browser, server) as visit:
        file = {"name": name, "mimeType": "image/png", "buffer": frame.read_bytes()}
        assert "130x97 pixels: translated" in visit.upload(file)
        visit.images()
        assert visit.dialogs == []
        assert not visit.page.locator("#said img").count()


@pytest.mark.parametrize("width", [320, 390])
def test_a_narrow_page_does_not_scroll_sideways(browser: Any, server: Server, frame: Path, width: int):
    with Visit(browser, server, {**PHONE, "width": width}) as visit:
        visit.upload(frame)
        visit.images()
        visit.page.locator("#maps img").wait_for()
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        box = visit.page.locator("#slider").bounding_box()
        assert box["width"] == pytest.approx(240, abs=1)
        assert box["x"] >= 0


def test_ctrl_c_ends_it_and_leaves_nothing(server: Server):
    """The last test of the file, as the server is gone after it."""
    assert any(server.temporary.iterdir())
    assert server.end() == 130
    assert server.said().endswith("the page is closed\n")
    assert [path.name for path in server.temporary.iterdir()] == []
