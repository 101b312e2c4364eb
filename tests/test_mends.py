"""What a message tells its reader to do can be done: every setting, command, extra and page that we print is there."""

import ast
import importlib.util
import re
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException

from src.config import naming, schema
from src.config.composition import composed, groups
from tests.bad_inputs.refusal import run
from tests.conftest import CONF
from tests.labelled import streets, translator

ROOT = CONF.parent
ROOTS = sorted((path.stem for path in CONF.glob("*.yaml")), key=lambda stem: (stem != "train", stem))
GROUPS = sorted(path.relative_to(CONF).as_posix() for path in CONF.rglob("*") if path.is_dir())
SPEAKS = ("UserError", "exit", "say", "print", "_demand", "one_of", "Interrupted")
SETTING = re.compile(r"(?<![\w./{'\[])(\+?(?:[a-z_]+[./])*[a-z_]+)=(?!=)([\w.\[\],-]*)")
KEY = re.compile(rf"(?<![\w./{{])(?:{'|'.join(GROUPS)}|callbacks|trainer)\.[a-z_]+(?:\.[a-z_]+)*(?![\w(=])")
FACTS = re.compile(r"got .*|number of .*|weights=\{\}, cannot be had.*|\(\{?\w+=.*?\)|written key=value")
"""What a message says of the case, and no advice."""


def text_of(node: ast.expr) -> str:
    """A string with {} for what is filled in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def messages() -> Iterator[tuple[str, str]]:
    """Where a message stands, and its text."""
    for path in sorted((ROOT / "src").rglob("*.py")):
        tree = ast.parse(path.read_text())
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        spoken = [node for node in calls if str(ast.unparse(node.func)).rpartition(".")[2] in SPEAKS]
        constants = [node.value for node in tree.body if isinstance(node, ast.Assign)]  # REMEDY and its like
        parts = {
            part
            for node in (*spoken, *constants)
            for part in ast.walk(node)
            if isinstance(part, ast.JoinedStr | ast.Constant)
        }
        inner = {piece for part in parts if isinstance(part, ast.JoinedStr) for piece in ast.walk(part)} - {
            part for part in parts if isinstance(part, ast.JoinedStr)
        }
        for part in parts - inner:
            if " " in (text := text_of(part)):
                yield f"{path.relative_to(ROOT).as_posix()}:{part.lineno}", FACTS.sub("", text)


MESSAGES = sorted(set(messages()))


@lru_cache(maxsize=512)
def composes(root: str, *overrides: str) -> bool:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        try:
            compose(root, list(overrides), return_hydra_config=True)
        except (HydraException, ValueError):
            return False
    return True


def is_accepted(key: str, value: str) -> bool:
    """Whether some command takes the setting, beside a choice of its own group if that alone has it."""
    schema.register()
    naming.register()
    bare = key.removeprefix("+")
    group = bare.partition(".")[0]
    given = f"{key}={value or ('1' if bare not in GROUPS else '')}"
    if bare in GROUPS and not value:
        return True  # a choice that the reader makes
    choices = [f"{group}={path.stem}" for path in sorted((CONF / group).glob("*.yaml"))] if group != bare else []
    needs = [[], *([choice] for choice in choices)]
    top = group.partition("/")[0]
    roots = [root for root in ROOTS if bare != key or top in [*composed(root)] or group in groups(root)]
    return any(composes(root, *need, given) for need in needs for root in roots)


def advised(kind: re.Pattern[str]) -> list[tuple[str, ...]]:
    """What the messages name, with the place of the first that does."""
    found: dict[tuple[str, ...], str] = {}
    for place, text in MESSAGES:
        for match in kind.finditer(text):
            found.setdefault(match.groups() or (match[0],), place)
    return [(*what, place) for what, place in sorted(found.items())]


@pytest.mark.parametrize(("key", "value", "place"), advised(SETTING))
def test_a_setting_that_a_message_gives_is_accepted(key: str, value: str, place: str):
    assert is_accepted(key, value.rstrip(".,")), place


@pytest.mark.parametrize(("key", "place"), advised(KEY))
def test_a_setting_that_a_message_names_is_there(key: str, place: str):
    assert is_accepted(key, "") or is_accepted(f"{key}.x", ""), place


@pytest.mark.parametrize(("module", "place"), advised(re.compile(r"python -m (src[\w.]*)")))
def test_a_command_that_a_message_gives_is_there(module: str, place: str):
    assert importlib.util.find_spec(module) is not None, place


EXTRAS = {
    extra: path.relative_to(ROOT).as_posix()
    for path in (ROOT / "src").rglob("*.py")
    for extra in re.findall(r'extra="(\w+)"', path.read_text())
}


@pytest.mark.parametrize(("extra", "place"), sorted(EXTRAS.items()))
def test_an_extra_that_a_message_gives_is_there(extra: str, place: str):
    with (ROOT / "pyproject.toml").open("rb") as file:
        assert extra in tomllib.load(file)["project"]["optional-dependencies"], place


@pytest.mark.parametrize(("page", "place"), advised(re.compile(r"(?<![/}\w])((?:docs/)?\w+\.md)\b")))
def test_a_page_that_a_message_gives_is_there(page: str, place: str):
    assert (ROOT / page).is_file(), place


def test_the_walk_sees_the_messages():
    keys = {key for key, *_ in advised(SETTING)}
    assert {"resume", "overwrite", "trainer", "labels", "hydra/launcher", "+optimizer.capturable"} <= keys


def test_a_run_whose_data_have_moved_translates_them_where_its_message_says(tmp_path: Path):
    torch.manual_seed(0)
    root = streets(tmp_path / "before")
    folder = translator(tmp_path / "run", "data=gta2cityscapes", f"data.root={root}", "data.layout.holdout=5")
    root.rename(tmp_path / "after")
    command = [f"run={folder}", "split=train", f"output={tmp_path / 'out'}"]
    code, (line,) = run("translate", command)
    assert code == 1
    advice = re.search(r"before/.*: no such folder.*; (.*) was trained on it, .*: (\+data\.root=)\.\.\.$", line)
    assert advice is not None, line
    assert advice[1] == str(folder)
    code, lines = run("translate", [*command, f"{advice[2]}{tmp_path / 'after'}"])
    assert code == 0, lines
    assert len(list((tmp_path / "out/images").glob("*.png"))) == 4  # its holdout is still the run's
