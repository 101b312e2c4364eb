"""The examples of docstrings give what they print."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "src").rglob("*.py"))
    if ">>> " in path.read_text()
]


@pytest.mark.parametrize("name", MODULES)
def test_an_example_gives_what_it_prints(name: str):
    failed, tried = doctest.testmod(import_module(name))
    assert tried
    assert not failed


def test_losses_selection_and_metrics_have_examples():
    rooms = {name.rpartition(".")[0] for name in MODULES}
    assert {"src.losses", "src.networks.selection", "src.metrics"} <= rooms
