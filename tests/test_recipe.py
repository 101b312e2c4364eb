"""CONTRIBUTING.md's recipe for a new attention module, followed in a copy of the repository: two files, no more."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import TINY, UNDRAWN
from tests.frames import write_frames

ROOT = Path(__file__).resolve().parent.parent
FILES = ("src/networks/attention/energy.py", "conf/attention/energy.yaml")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with what the recipe adds."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("src", "conf", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    recipe = (ROOT / "CONTRIBUTING.md").read_text()
    for name in FILES:
        assert not (folder / name).exists()
        (code,) = re.findall(rf"^\d\. `{re.escape(name)}`.*?^```\w+\n(.*?)^```$", recipe, re.DOTALL | re.MULTILINE)
        (folder / name).write_text(code)
    return folder


def python(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=copy, capture_output=True, text=True)


def test_the_new_module_trains_in_a_sweep_and_has_a_row_of_its_own(copy: Path, tmp_path: Path):
    root = write_frames(tmp_path / "frames")
    done = python(
        copy,
        *("-m", "src.train", "-m", "attention=none,energy", *TINY, UNDRAWN, "data=folders", f"data.root={root}"),
        *("data.size=32", "data.load=32", "data.samples_per_epoch=2", "trainer.max_epochs=1", "data.num_workers=0"),
        *("metrics.scores.side=16", "metrics.scores.seeds=1", f"hydra.sweep.dir={tmp_path / 'sweep'}"),
    )
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "sweep/table.md").read_text().splitlines()
    rows = [line.split("|")[1].strip() for line in table if line.startswith("|")]
    assert "energy" in rows, rows


def test_the_tests_of_every_module_find_it_and_pass(copy: Path):
    """By the command that the recipe names."""
    (command,) = re.findall(
        r"^python (-m pytest .* -k energy .*)$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE
    )
    done = python(copy, *command.split(), "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout[-3000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= 20


def test_it_is_offered_where_a_name_is_misspelt(copy: Path):
    done = python(copy, "-m", "src.train", "attention=enregy")
    assert done.returncode == 1
    assert "energy" in done.stderr
