"""What a command answers to --help: its keys, their defaults, and what the comments in conf/ say of them."""

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from src.config import comments
from src.config.composition import CONF, choices, composed, files, groups, module

WIDTH, LEFT = 100, 42
_WIDE, _NARROW = 58, 16
ONLY = {"prepare": ("data", "experiment", "seed")}
"""Of a root that takes all that another one does, the part that counts."""
EXAMPLE = re.compile(r"(python -m .+?)(?:\s{3,}(.*))?$")
PAGES = re.compile(r"[\w/]+\.md(, [\w/]+\.md)*$")


def explained(name: str, overrides: Sequence[str]) -> str:
    """The answer of the command whose root is conf/<name>.yaml, as overrides make it, WIDTH characters wide."""
    config = composed(name, *overrides)
    head = comments.read(CONF / f"{name}.yaml").head
    pages = [line for line in head if PAGES.match(line)]
    sentence = " ".join(line for line in head if not EXAMPLE.match(line) and line not in pages)
    command = f"python -m {module(name)}"
    lines = [*textwrap.wrap(sentence, WIDTH), "", "usage:", *_entry(f"{command} [group=choice] [key=value]", "")]
    sweeps = name not in ONLY and "${run_name:" in str(OmegaConf.to_container(config.hydra.sweep, resolve=False))
    if sweeps:
        lines += _entry(f"{command} -m group=a,b key=1,2", "a sweep: a run for each combination", _WIDE)
    lines += _entry(f"{command} group=choice --help", "this text, as the choice makes it", _WIDE)
    lines += ["", "examples:"]
    for match in filter(None, map(EXAMPLE.match, head)):
        lines += _entry(match[1], match[2] or "", _WIDE)
    lines += _groups(name, config, sweeps=sweeps)
    lines += ["", "keys, each with its default:"]
    lines += _keys(name, config, explanations(name, *overrides))
    return "\n".join([*lines, "", f"read on: {', '.join(pages)}"])


def explanations(name: str, *overrides: str) -> dict[str, str]:
    """What the files of conf/ that a root is composed of say of its keys; the file that defines a key says it first."""
    found: dict[str, str] = {}
    for path, package in files(name, *overrides):
        for key, text in comments.read(path).keys.items():
            found.setdefault(f"{package}.{key}" if package else key, text)
    return found


def settings(config: DictConfig, name: str) -> Iterator[tuple[str, str]]:
    """Every key that may be set, and its default as it is typed.

    Left out are what a class is called, nodes that only refer to others, and groups of which nothing is chosen.
    """
    of = groups(name)
    whole = OmegaConf.to_container(config, resolve=False)
    assert isinstance(whole, dict)
    for key, raw in whole.items():
        if _counts(name, str(key)) and key != "hydra" and not (raw is None and key in of):
            yield from _settings(config, str(key), raw)


def _settings(config: DictConfig, key: str, raw: Any) -> Iterator[tuple[str, str]]:
    if isinstance(raw, dict) and raw:
        for inner, child in raw.items():
            if not str(inner).startswith("_"):
                yield from _settings(config, f"{key}.{inner}", child)
    elif raw == "???":
        yield key, "..."
    elif isinstance(raw, str) and "${" in raw:
        try:
            value = OmegaConf.select(config, key)
        except OmegaConfBaseException:
            value = None
        if not isinstance(value, DictConfig) and not OmegaConf.is_config(value):
            yield key, raw if re.fullmatch(r"\$\{[\w.]+\}", raw) else _typed(value)
    else:
        yield key, _typed(raw)


def _typed(value: Any) -> str:
    if isinstance(value, list | dict):
        return "[" + ",".join(map(_typed, value)) + "]" if isinstance(value, list) else "{...}"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _groups(name: str, config: DictConfig, *, sweeps: bool) -> list[str]:
    """What may be chosen in each group, in the order of the root's file; a star marks what is chosen."""
    of, pages = config.hydra.runtime.choices, [comments.read(path) for path, package in files(name) if not package]
    said = {group: text for page in pages for group, text in page.groups.items()}
    said |= {key: text for page in pages for key, text in page.keys.items() if "/" in key}
    lines = ["", "groups, each with its choices; a star marks what is chosen:"]
    there = [group for group in groups(name) if _counts(name, group) and (sweeps or not group.startswith("hydra"))]
    for group in sorted(there, key=lambda one: list(said).index(one) if one in said else len(said)):
        lines += _entry(group, said.get(group, ""), _NARROW)
        lines += _entry("", "  ".join(f"{one}*" if one == of[group] else one for one in choices(group)), _NARROW)
    return lines if there else []


def _keys(name: str, config: DictConfig, said: Mapping[str, str]) -> list[str]:
    """Those of the root first, then those of each node below its name."""
    lines, nodes = [], dict[str, list[str]]()
    for key, value in settings(config, name):
        short = value if len(value) <= 2 * LEFT else "[...]"
        entry = _entry(f"{key}={short}", ("needed: " if value == "..." else "") + said.get(key, ""))
        node, dot, _ = key.partition(".")
        if dot:
            nodes.setdefault(node, []).extend(entry)
        else:
            lines += entry
    chosen = config.hydra.runtime.choices
    for node, entries in nodes.items():
        lines += ["", f" {node}={chosen[node]}" if chosen.get(node) else f" {node}", *entries]
    return lines


def _counts(name: str, key: str) -> bool:
    return name not in ONLY or key in ONLY[name]


def _entry(left: str, right: str, width: int = LEFT) -> list[str]:
    """Two columns; a left one that is too wide has its line to itself."""
    wrapped = textwrap.wrap(right, WIDTH - width - 2)
    first = f"  {left:{width}}{wrapped.pop(0)}" if wrapped and len(left) < width else f"  {left}"
    return [first.rstrip(), *(f"{'':{width + 2}}{line}" for line in wrapped)]
