"""A command that cannot start says in one line how it can."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_help import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
AS_ON_WINDOWS = """
import runpy, sys
sys.platform, sys.argv = "win32", ["", "run=x"]
sys.modules.update(dict.fromkeys(["resource", "fcntl", "pwd", "grp"]))
runpy.run_module(sys.orig_argv[-1], run_name="__main__")
"""


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_started_by_its_path_says_how_it_is_started(command: str, tmp_path: Path):
    path = ROOT / "src" / command.replace(".", "/")
    path = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
    done = subprocess.run([sys.executable, str(path), "folder"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    line = f"{path}: commands are started as modules; from {ROOT}: python -m src.{command} ...\n"
    assert (done.stderr, done.stdout) == (line, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_system_that_is_not_supported_is_named(command: str):
    line = [sys.executable, "-c", AS_ON_WINDOWS, f"src.{command}"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "attention-cut runs on Linux and macOS; on Windows, install and start it inside WSL 2\n"
