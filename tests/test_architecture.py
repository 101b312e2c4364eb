"""The house rules that a tool can hold: import contracts, file sizes, one place that instantiates."""

import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parent.parent / "src"
FILES = sorted(SRC.rglob("*.py"))


def test_imports_point_down():
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=SRC.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SRC)))
def test_a_file_is_one_idea(path: Path):
    assert len(path.read_text().splitlines()) <= 250
    assert not {"utils", "common", "helpers", "misc"} & set(path.with_suffix("").parts)


def test_configuration_becomes_objects_in_one_place():
    assert [path.name for path in FILES if "hydra.utils import" in path.read_text()] == ["build.py"]
