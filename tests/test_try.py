"""`make try` shows the shipped weights at work, from any folder, and says where."""

import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.data.streets.game import GAME
from src.data.streets.render import render
from src.translation.translate import translate_inputs
from tests.labelled import composed
from tests.made import made

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "examples/translate_streets.py"
WEIGHTS = ROOT / "checkpoints/streets_cut.safetensors"
NAMES = ["00005.png", "00130.png", "00255.png", "00380.png"]


def typed(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *arguments], cwd=folder, capture_output=True, text=True)


def test_it_draws_translates_and_says_where_they_lie_side_by_side(tmp_path: Path):
    done = typed(tmp_path, "made/here")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "made/here/side_by_side.png\n"
    folder = tmp_path / "made/here"
    assert [[path.name for path in sorted((folder / kind).iterdir())] for kind in ("source", "output")] == [NAMES] * 2
    for word in ("made/here/source", "made/here/output", "made/here/side_by_side.png", "python -m src.translate"):
        assert word in done.stderr
    # a frame of the game as training sees it, held out of it: each fifth
    assert [int(name[:5]) % 5 for name in NAMES] == [0] * 4
    assert (read(folder / "source" / NAMES[1]) == render(GAME, 129)[0]).all()

    translate_inputs(
        composed("translate", f"weights={WEIGHTS}", f"input={folder / 'source'}", f"output={tmp_path / 'again'}")
    )
    for name in NAMES:
        assert (read(folder / "output" / name) == read(tmp_path / "again" / name)).all()
    # four rows of four pictures of 224 x 128, none of them smaller than it is
    height, width, _ = read(folder / "side_by_side.png").shape
    assert height > 4 * 128
    assert width > 4 * 224


@pytest.fixture
def refusal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., object]:
    """What the script ends with, and all it says, when run in this process: a text is said, and exit code 1."""

    def answer(*arguments: str) -> object:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "path", list(sys.path))
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *arguments])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        assert capsys.readouterr() == ("", "")
        return end.value.code

    return answer


@pytest.mark.parametrize("arguments", [[], ["a", "b"]])
def test_another_line_is_answered_by_the_right_one(
    arguments: list[str], refusal: Callable[..., object], tmp_path: Path
):
    assert refusal(*arguments) == "name one folder for the pictures: python examples/translate_streets.py outputs/try"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_is_answered_in_one_line(refusal: Callable[..., object], tmp_path: Path):
    (tmp_path / "file").write_text("")
    assert re.fullmatch(r".*file.*", str(refusal("file")))


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_runs_it():
    done = made(ROOT, "--dry-run", "--old-file=.venv/.ready", "try")
    assert done.stdout == ".venv/bin/python examples/translate_streets.py outputs/try\n"


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))
