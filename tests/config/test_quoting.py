"""What a command prints to be pasted, a shell and Hydra read back as it was."""

import shlex
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from src.config.quoting import pasted

PATHS = (
    *("outputs/mine", "/home/jürgen/run", "/my drive/a run", "a,b", "a=b", "a (copy)/run", "it's", 'the "best"', "[1]"),
    *("C:\\runs\\", "{x}", "~/run", "null", "100%", "a#b", "#1", "a:b", "-m", "été/запуск/実行", "a;rm b", "$HOME"),
    "a\\'b",
)


def _read(line: str) -> object:
    (argument,) = shlex.split(line)
    parsed = OverridesParser.create().parse_override(argument)
    assert parsed.key_or_group == "resume"
    assert not parsed.is_sweep_override()
    return parsed.value()


@pytest.mark.parametrize("path", PATHS)
def test_a_path_is_read_back(path: str):
    assert str(_read(pasted("resume", Path(path)))) == str(Path(path))


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1))
def test_so_is_any_text(text: str):
    assert str(_read(pasted("resume", text))) == text


def test_what_needs_no_quotes_has_none():
    assert pasted("run", "outputs/2026-11-27/12-00-00_a.b") == "run=outputs/2026-11-27/12-00-00_a.b"
