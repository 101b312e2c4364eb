"""pip installs a checkout's dependencies, and refuses in one line what would install nothing that can be imported."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What pip reads of one; it leaves files beside them."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("pyproject.toml", "editable_backend.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.mark.parametrize("command", [["install", "--target"], ["wheel", "--wheel-dir"]])
def test_anything_but_an_editable_install_is_refused_and_leaves_nothing(
    command: list[str], checkout: Path, tmp_path: Path
):
    """With its dependencies, none of which is fetched: there is no index to fetch them from."""
    line = [sys.executable, "-m", "pip", *command, str(tmp_path / "there"), "--no-index", "--no-build-isolation", "."]
    done = subprocess.run(line, cwd=checkout, capture_output=True, text=True)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "[1 lines of output]" in said
    assert "attention-cut runs from a checkout, as its code is the package `src`" in said
    assert "pip install -e ." in said
    assert "Traceback" not in said
    assert not list((tmp_path / "there").rglob("*.whl"))
    assert not (tmp_path / "there" / "src").exists()


def test_an_editable_install_is_made_and_puts_no_src_onto_the_path(checkout: Path, tmp_path: Path):
    code = f"import editable_backend as backend; print(backend.build_editable({str(tmp_path)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    wheel = tmp_path / done.stdout.splitlines()[-1]
    shutil.unpack_archive(wheel, tmp_path / "unpacked", "zip")
    assert "Requires-Dist: torch>=2.9" in next((tmp_path / "unpacked").rglob("METADATA")).read_text()
    site = {path.name for path in (tmp_path / "unpacked").iterdir()}
    assert "src" not in site
    for path in (tmp_path / "unpacked").glob("*.pth"):
        assert str(checkout) not in path.read_text()
