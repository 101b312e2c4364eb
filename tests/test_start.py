"""A command that cannot start says in one line how it can."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.made import made
from tests.test_help import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
AS_ON_WINDOWS = """
import runpy, sys
sys.platform, sys.argv = "win32", ["", "run=x"]
sys.modules.update(dict.fromkeys(["resource", "fcntl", "pwd", "grp"]))
runpy.run_module(sys.orig_argv[-1], run_name="__main__")
"""

IMPORTING = """
import gc, sys
from src.config.command import answer_early, entry
sys.argv = ["", "real=a", "fake=b"]
answer_early("evaluate")
print(gc.isenabled())
entry("evaluate")(lambda config: print(gc.isenabled(), gc.get_freeze_count() > 10_000))()
"""


def test_garbage_is_looked_for_again_once_the_imports_are_made():
    done = subprocess.run([sys.executable, "-c", IMPORTING], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["False", "True True"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_started_by_its_path_says_how_it_is_started(command: str, tmp_path: Path):
    path = ROOT / "src" / command.replace(".", "/")
    path = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
    done = subprocess.run([sys.executable, str(path), "folder"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    line = f"{path}: commands are started as modules; from {ROOT}: python -m src.{command} ...\n"
    assert (done.stderr, done.stdout) == (line, "")


@pytest.mark.parametrize("folder", ["src", "experiments", "benchmarks", "notebooks"])
@pytest.mark.parametrize("command", ["train", "data.check"])
def test_a_command_started_from_a_folder_of_the_checkout_says_from_where(command: str, folder: str):
    line = [sys.executable, "-m", f"src.{command}", "seed=1"]
    done = subprocess.run(line, cwd=ROOT / folder, capture_output=True, text=True)
    assert done.returncode == 1
    way = f"cd {ROOT} && python -m src.{command} ..."
    said = f"src.{command}: commands are started from the checkout's own folder: {way}\n"
    assert (done.stderr, done.stdout) == (said, "")


WITHOUT = """
import runpy, sys
sys.argv = ["", "seed=1"]
{}
runpy.run_module("src.train", run_name="__main__")
"""


@pytest.mark.parametrize(
    ("lack", "message"),
    [
        (
            "sys.version_info, sys.version = (3, 9, 18), '3.9.18 (main)'",
            "Python 3.11 to 3.13 is needed, this is 3.9.18; ",
        ),
        (
            "sys.path[:] = [one for one in sys.path if 'site-packages' not in one]",
            f"{sys.executable}: holds no PyTorch; ",
        ),
    ],
)
def test_a_python_that_cannot_run_it_is_told_which_can(lack: str, message: str):
    line = [sys.executable, "-c", WITHOUT.format(lack)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            '#!/bin/sh\nexec python3 -c "import sys; sys.version_info = (3, 9, 18); exec(sys.argv[1])" "$2"\n',
            "this is 3.9",
        ),
        (None, "no such command"),
    ],
)
def test_make_says_in_one_line_which_python_it_needs(body: str | None, message: str, tmp_path: Path):
    python = tmp_path / "python"
    if body is not None:
        python.write_text(body)
        python.chmod(0o755)
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    done = made(tmp_path, "demo", f"PYTHON={python}")
    assert done.returncode == 2
    said, makes_own = done.stderr.splitlines()
    assert message in said
    assert said.endswith("; name one: make demo PYTHON=python3.12")
    assert makes_own.startswith("make: ***")
    assert not done.stdout
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_system_that_is_not_supported_is_named(command: str):
    line = [sys.executable, "-c", AS_ON_WINDOWS, f"src.{command}"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "attention-cut runs on Linux and macOS; on Windows, install and start it inside WSL 2\n"
