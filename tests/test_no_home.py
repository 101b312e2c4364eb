"""Where there is no home folder, what is kept for later runs is left out, in one line."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from lightning.pytorch.utilities import rank_zero_only

from src.config import schema
from src.runs.folder import load_config
from src.runs.results import load_metrics
from tests.conftest import CONF, TINY
from tests.frames import write_frames


@pytest.fixture(autouse=True)
def _no_answer_of_before(monkeypatch: pytest.MonkeyPatch):
    schema._cache.cache_clear()
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    yield
    schema._cache.cache_clear()


def test_a_training_without_a_home_goes_on_without_a_cache(tmp_path: Path):
    (tmp_path / "home").write_text("a file")
    root = write_frames(tmp_path / "frames")
    settings = [
        *TINY,
        "data=folders",
        f"data.root={root}",
        "data.size=32",
        "data.load=32",
        "data.num_workers=0",
        "trainer=cpu",
    ]
    settings += [
        "callbacks.image_grid.images=1",
        "data.samples_per_epoch=3",
        "trainer.max_epochs=1",
        "trainer.log_every_n_steps=1",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "src.train", *settings, f"hydra.run.dir={tmp_path}/run", "metrics.scores.seeds=1"],
        cwd=CONF.parent,
        env={**os.environ, "HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in re.split(r"[\r\n]+", done.stderr) if str(tmp_path) not in line]
    said = [line for line in lines if re.search("~|cache|[Mm]atplotlib|HOME", line)]
    assert said == [
        "~/.cache/attention-cut: no folder for features of images (Not a directory); going on without, or give "
        "metrics.cache=<folder>"
    ]
    assert load_metrics(tmp_path / "run")[0]
    assert load_config(tmp_path / "run").metrics.cache is None


def test_a_user_without_an_entry_in_the_systems_list_has_no_home(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # what the standard library does then
    assert [schema.cache(), schema.cache()] == [None, None]
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_one_process_of_several_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("HOME", "/dev/null")
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    assert schema.cache() is None
    assert capsys.readouterr().err == ""


def test_a_home_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert schema.cache() == "~/.cache/attention-cut"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    assert schema.cache() == f"{tmp_path}/own/attention-cut"
