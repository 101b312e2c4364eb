"""CONTRIBUTING.md's drawing of the source is the contract that is checked, and its walks lead through real files."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from omegaconf import OmegaConf

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
WALKS = dict(
    re.findall(r"^(A [^\n]+):\n\n((?:\d+\. .+\n)+)", PAGE.partition("### Three walks")[2].partition("\n###")[0], re.M)
)


def layers() -> list[set[str]]:
    """The rooms of the contract, from the top."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = [one for one in contracts if one["type"] == "layers"]
    return [set(layer.split(" | ")) for layer in contract["layers"]]


def test_the_drawing_is_the_import_contract():
    drawing = PAGE.partition("## How the code is laid out")[2].partition("```\n")[2].partition("```")[0]
    floors: dict[int, set[str]] = {}
    for line in drawing.splitlines():
        number, room, what = re.fullmatch(r"(\d)  (\w+) +(\S.*)", line).groups()
        floors.setdefault(int(number), set()).update(what.split() if room == "doors" else {room})
    assert list(floors) == list(range(len(floors), 0, -1))
    assert list(floors.values()) == layers()


def test_nothing_lies_loose_beside_rooms_and_doors():
    names = {path.stem for path in (ROOT / "src").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert names == {"__init__", "src"}.union(*layers())


def test_there_are_three_walks():
    assert [name.split()[1] for name in WALKS] == ["batch", "folder", "run"]


@pytest.mark.parametrize("name", WALKS)
def test_a_walk_leads_from_file_to_file(name: str):
    """Each file but the first is imported by one before it, or is where a class of conf/ is defined."""
    files = re.findall(r"^\d+\. `(src/\S+\.py)`: ", WALKS[name], re.M)
    assert len(files) == len(WALKS[name].splitlines())
    known = set(built())
    for number, file in enumerate(files):
        assert (ROOT / file).is_file()
        module = file.removesuffix(".py").replace("/", ".")
        assert number == 0 or module in known, f"nothing before {file} leads to it"
        known |= set(imported(ROOT / file))


def imported(path: Path) -> Iterator[str]:
    """Modules that a file imports, or from which it imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def built() -> Iterator[str]:
    """Modules of the classes that the configuration names."""
    for path in (ROOT / "conf").rglob("*.yaml"):
        for target in re.findall(r"_target_: (src\.[\w.]+)", OmegaConf.to_yaml(OmegaConf.load(path))):
            yield target.rpartition(".")[0]


def test_every_file_that_the_page_names_is_there():
    # but for the module and the rule that a reader is told to write
    named = {name for name in re.findall(r"`((?:src|tests|conf)/[\w./]+)`", PAGE) if "energy" not in name}
    assert not [name for name in named if "mine" not in name and not (ROOT / name).exists()]
