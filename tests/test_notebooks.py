"""The notebooks run from top to bottom on a fresh run and sweep, and lie in git without outputs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import forked
from tests.conftest import TINY, UNDRAWN, UNTABLED
from tests.frames import write_frames

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CUT and triplet with two seeds each, of two steps."""
    folder = tmp_path_factory.mktemp("notebooks")
    root = write_frames(folder / "frames")
    command = ["src.train", "-m", *TINY, "attention=none,triplet", "seed=0,1", "data=folders"]
    command += [f"data.root={root}", "data.size=64", "data.load=64", "data.samples_per_epoch=2", "trainer.max_epochs=1"]
    command += [UNDRAWN, UNTABLED, "selection.patches=64", "data.num_workers=0", "metrics.scores.side=16"]
    command += ["metrics.scores.seeds=1"]
    done = forked.run(*command, f"hydra.sweep.dir={folder / 'sweep'}")
    assert done.returncode == 0, done.stderr
    return folder / "sweep"


def test_the_folder_holds_the_three():
    assert [path.name[:2] for path in NOTEBOOKS] == ["01", "02", "03"]


def test_each_notebook_runs(sweep: Path):
    run = next(path.parent for path in sorted(sweep.rglob("metrics.json")) if "triplet" in str(path))
    line = ("-m", "pytest", "-v", "-n", "0", "-p", "no:cacheprovider", "--nbmake", *map(str, NOTEBOOKS))
    done = subprocess.run(
        [sys.executable, *line],
        cwd=ROOT,
        env={**os.environ, "RUN": str(run), "SWEEP": str(sweep)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert "3 passed" in done.stdout


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_lies_in_git_without_outputs(notebook: Path):
    cells = json.loads(notebook.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)
