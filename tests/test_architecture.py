"""The house rules that a tool can hold: import contracts, file sizes, one place that instantiates."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
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


UNPROMISED = SRC / "system" / "unpromised.py"
ATTRIBUTES = {"cfg", "set_config", "config_loader", "procs", "log_every_n_steps", "__context__"}
"""Of libraries' objects, beside those with an underscore."""
WORDS = {"full_key: ", "DataLoader worker", "filterwarnings.*message", "rank_zero_only.rank", '"procs"', "def _apply"}


def private(path: Path) -> Iterator[str]:
    """Names with an underscore that are taken from something else than the file's own objects and modules."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) not in ("self", "cls", "super()"):
            names = [node.attr]
        elif isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("src."):
            names = [*(node.module or "").split("."), *(one.name for one in node.names)]
        elif isinstance(node, ast.Import):
            names = [part for one in node.names for part in one.name.split(".")]
        else:
            continue
        # a NamedTuple's _asdict and _replace are promised
        yield from (name for name in names if re.match(r"_(?!_|asdict$|replace$)", name) or name in ATTRIBUTES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SRC)))
def test_what_no_library_promises_is_used_in_one_file(path: Path):
    used = [*private(path), *(word for word in WORDS if re.search(word, path.read_text()))]
    assert bool(used) == (path == UNPROMISED), used


def test_that_file_uses_all_of_it():
    assert [word for word in {*ATTRIBUTES, *WORDS} if not re.search(word, UNPROMISED.read_text())] == []
