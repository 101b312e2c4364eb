"""--help explains every key with what stands beside it in conf/, and its examples can be typed."""

import re
import shlex
from pathlib import Path

import pytest

from src.config import comments, schema
from src.config.composition import CONF, choices, composed, groups, module
from src.config.help import EXAMPLE, ONLY, PAGES, WIDTH, explained, explanations, settings
from src.config.mistakes import mistakes

ROOTS = list(schema.ROOTS)


def examples(name: str) -> list[str]:
    return [match[1] for line in comments.read(CONF / f"{name}.yaml").head if (match := EXAMPLE.match(line))]


@pytest.mark.parametrize("name", sorted(set(ROOTS) - set(ONLY)))
def test_every_key_has_an_explanation_beside_every_choice(name: str):
    there = [f"{group}={one}" for group in groups(name) if not group.startswith("hydra") for one in choices(group)]
    for chosen in ([], *([one] for one in there)):
        if refused := mistakes(name, tuple(chosen), asks=True):
            assert chosen == ["trainer=gpu"]  # it sets what a training alone has
            assert refused == [f"trainer=gpu: sets generator, which {module(name)} has not; choose another"]
            continue
        said = explanations(name, *chosen)
        left = [key for key, _ in settings(composed(name, *chosen), name) if not said.get(key)]
        assert left == [], chosen


@pytest.mark.parametrize("name", ROOTS)
def test_the_answer_is_whole_and_readable(name: str):
    text = explained(name, [])
    lines = text.splitlines()
    assert max(map(len, lines)) <= WIDTH
    sentence, usage, shown, *_ = text.split("\n\n")
    assert len(sentence) > 30
    assert usage.startswith(f"usage:\n  python -m {module(name)} ")
    assert len([line for line in shown.splitlines() if line.startswith(f"  python -m {module(name)} ")]) >= 3
    pages = lines[-1].removeprefix("read on: ").split(", ")
    assert all((CONF.parent / page).is_file() for page in pages)
    for key, _ in settings(composed(name), name):
        assert f"  {key}=" in text
    for group in groups(name):
        if f"\n  {group} " in text:
            heading = next(line for line in lines if re.match(rf"  {group}\s", line))
            assert heading.split(maxsplit=1)[1:]  # says what the group is
            assert all(one in text for one in choices(group))


@pytest.mark.parametrize(("name", "example"), [(name, one) for name in ROOTS for one in examples(name)])
def test_an_example_can_be_typed(name: str, example: str):
    words = shlex.split(re.sub(r"<[\w ]+>", "one", example))
    assert words[:3] == ["python", "-m", module(name)]
    assert mistakes(name, tuple(words[3:])) == []


def test_a_choice_changes_what_is_explained():
    assert "attention.module.kernel_size=7" in explained("train", [])
    other = explained("train", ["attention=bam", "seed=5"])
    assert "attention.module.kernel_size" not in other
    assert "attention.module.dilation=4" in other
    assert "  seed=5 " in other


def test_a_comment_is_read_beside_a_key_below_it_and_in_place_of_it(tmp_path: Path):
    path = tmp_path / "one.yaml"
    path.write_text(
        "# @package _global_\n# What it is.\n# docs/x.md\ndefaults:\n  - group: one   # a group\n  - _self_\n\n"
        "a: 1                    # first\n                        # and on\n# missing: set elsewhere\n"
        "b:                      # a node\n  c: [1, 2]             # in it\n  d: 'x # y'\ne: ${a}  # refers\n"
    )
    page = comments.read(path)
    assert page.head == ("What it is.", "docs/x.md")
    assert PAGES.match(page.head[1])
    assert page.groups == {"group": "a group"}
    assert page.keys == {"a": "first and on", "missing": "set elsewhere", "b": "a node", "b.c": "in it", "e": "refers"}
