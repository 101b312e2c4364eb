"""conf/ as pages: every key of every choice, with its default and the comment that stands beside it in the yaml."""

import re
from collections.abc import Iterator
from html import escape
from itertools import groupby
from pathlib import Path

from website.settings import Choice, read

INTRODUCTION = """\
`python -m src.train <group>=<choice> <key>=<value>`: each folder of `conf/` is a group, each of its files a choice, and
any key of it can be given on the command line. These pages are made of the files when the site is built. What
`src.train` takes unless told otherwise is bold; the commands' own keys are on [a page of their own](commands.md).
"""


def pages(conf: Path) -> dict[str, str]:
    """Markdown by the name of the page: `index`, `commands`, and one for each group of conf/."""
    groups = sorted({path.parent for path in conf.rglob("*.yaml")} - {conf})
    names = {group: group.relative_to(conf).as_posix() for group in groups}
    defaults = {one.key: one.default for one in read((conf / "train.yaml").read_text()).defaults}
    found = {"commands": _commands(conf)}
    rows = []
    for group, name in names.items():
        choices = sorted(group.glob("*.yaml"))
        found[name.replace("/", "-")] = _group(name, choices, defaults.get(name), _places(conf, group))
        listed = ", ".join(f"**{one.stem}**" if one.stem == defaults.get(name) else one.stem for one in choices)
        rows.append(f"| [{name}]({name.replace('/', '-')}.md) | {listed} |")
    found["index"] = "\n".join(
        [
            "# Configuration",
            "",
            INTRODUCTION,
            "| group | choices |",
            "|---|---|",
            *rows,
            "",
        ]
    )
    return found


def _commands(conf: Path) -> str:
    parts = ["# Commands", "", "The keys of each command beside those of its groups; `???` has to be given."]
    for path in sorted(conf.glob("*.yaml")):
        parts += ["", f"## {path.stem} {{ #{path.stem} }}", "", *_choice(read(path.read_text()), path, "", conf.name)]
    return "\n".join(parts) + "\n"


def _group(name: str, choices: list[Path], default: str | None, prefix: str) -> str:
    parts = [f"# {name}", "", f"One of {', '.join(f'[{one.stem}](#{one.stem})' for one in choices)}"]
    parts[-1] += f"; `src.train` takes {default} unless told otherwise." if default not in (None, "null") else "."
    for path in choices:
        choice = read(path.read_text())
        below = "" if choice.is_global else f"{prefix}."
        parts += ["", f"## {path.stem} {{ #{path.stem} }}", "", *_choice(choice, path, below, f"conf/{name}")]
    return "\n".join(parts) + "\n"


def _places(conf: Path, group: Path) -> str:
    """Where the keys of a group stand: by its own name, or for a `base` where the neighbours put it."""
    if group.name != "base":
        return group.relative_to(conf).as_posix().replace("/", ".")
    above = group.parent.relative_to(conf).as_posix()
    for path in sorted(group.parent.glob("*.yaml")):
        for one in read(path.read_text()).defaults:
            if one.key.startswith("base/"):
                place = one.key.partition("@")[2]
                return above if place == "_here_" else f"{above}.{place}"
    raise ValueError(f"no file of {group.parent} takes one of {group}")


def _choice(choice: Choice, path: Path, prefix: str, folder: str) -> Iterator[str]:
    if choice.about:
        yield from _about(choice.about)
    if choice.builds:
        yield from (f"Builds {_class(choice.builds)}.", "")
    sets = [one for one in choice.defaults if one.key.startswith("override ")]
    if files := [one for one in choice.defaults if not one.default]:
        yield from (f"Starts from {', '.join(f'`{one.key}`' for one in files)}.", "")
    if sets:
        listed = [f"`{one.key.removeprefix('override ').lstrip('/')}={one.default}`" for one in sets]
        listed = [
            f"{text} ({_text(one.comment)})" if one.comment else text for text, one in zip(listed, sets, strict=True)
        ]
        yield from (f"Sets {', '.join(listed)}.", "")
    if groups := [one for one in choice.defaults if one.default and one not in sets]:
        yield from ("| group | choice | |", "|---|---|---|")
        yield from (f"| [{one.key}]({_page(one.key)}) | `{one.default}` | {_text(one.comment)} |" for one in groups)
        yield ""
    if choice.settings:
        yield from ("| key | default | meaning |", "|---|---|---|")
        for one in choice.settings:
            says = [f"builds {_class(one.builds)}"] if one.builds else []
            says += [_text(one.comment)] if one.comment else []
            default = f"`{_cell(one.default)}`" if one.default else ""
            yield f"| `{prefix}{one.key}` | {default} | {'; '.join(says)} |"
        yield ""
    if choice.ends:
        yield from (_text(choice.ends), "")
    yield from (f'??? note "{folder}/{path.name}"', "    ```yaml")
    yield from (f"    {line}".rstrip() for line in path.read_text().splitlines())
    yield "    ```"


def _page(group: str) -> str:
    return f"{group.partition('@')[0].strip('/').replace('/', '-')}.md"


def _about(text: str) -> Iterator[str]:
    """The comment at a file's top; commands as a block of code."""
    for are_commands, group in groupby(text.splitlines(), key=lambda line: line.startswith("python -m ")):
        lines = list(group)
        yield from ("", "```", *lines, "```", "") if are_commands else map(_text, lines)
    yield ""


def _class(dotted: str) -> str:
    """Its name, with a link to its docstring where that is on a page of the site."""
    return f"[`{dotted}`][{dotted}]" if re.match(r"src\.(losses|networks|methods|metrics)\.", dotted) else f"`{dotted}`"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _text(text: str) -> str:
    """A comment as Markdown that shows it letter by letter; pages that it names are links."""
    shown = re.sub(r"([\\`*_{}\[\]|~$])", r"\\\1", escape(text, quote=False))
    return re.sub(r"\b((?:docs/)?\w+\.md)\b", r"[\1](../\1)", shown)
