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
    assert command.rpartition(".")[2] in done.stdout.splitlines()[0]
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    # seconds each; what is left takes less than one on an idle machine
    assert not imported & {"torch", "lightning", "torchvision", "cv2", "albumentations", "matplotlib"}


def test_every_command_is_listed():
    assert {"train", "translate", "explain", "evaluate", "report", "prepare", "data.check"} <= set(COMMANDS)
