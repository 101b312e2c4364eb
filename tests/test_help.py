"""What a user sees first comes soon: no command imports PyTorch to answer --help."""

import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parent.parent / "src"
COMMANDS = sorted(
    ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__main__")
    for path in SRC.rglob("*.py")
    if 'if __name__ == "__main__"' in path.read_text()
)


@pytest.mark.parametrize(("command", "flag"), [("train", "-h"), *((command, "--help") for command in COMMANDS)])
def test_help_comes_without_the_heavy_imports(command: str, flag: str):
    line = [sys.executable, "-X", "importtime", "-m", f"src.{command}", flag]
    done = subprocess.run(line, cwd=SRC.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"python -m src.{command} " in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    # seconds each; what is left takes less than one on an idle machine
    assert not imported & {"torch", "lightning", "torchvision", "cv2", "albumentations", "matplotlib"}


WRONG = {"report": ["--nothing"], "runs": ["--nothing"]}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_mistake_is_one_line_without_the_heavy_imports(command: str):
    line = [sys.executable, "-X", "importtime", "-m", f"src.{command}", *WRONG.get(command, ["--nothing", "1"])]
    done = subprocess.run(line, cwd=SRC.parent, capture_output=True, text=True)
    assert done.returncode == 1
    assert not done.stdout
    said = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert len(said) == 1, said
    assert "--help" in said[0]
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {"torch", "lightning", "matplotlib"}


def test_every_command_is_listed():
    assert {"train", "translate", "explain", "evaluate", "report", "prepare", "data.check"} <= set(COMMANDS)
