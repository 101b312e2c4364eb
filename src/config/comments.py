"""What conf/*.yaml say of their own keys: the comments beside them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import yaml

BESIDE = re.compile(r"\s*:?\s*#\s?(.*)$")
OWN_LINE = re.compile(r"^( {12,})#\s?(.*)$")
"""A comment that goes on: under one that stands beside a key, and as far to the right."""
SET_ELSEWHERE = re.compile(r"^# ([\w/]+): (.+)$", re.MULTILINE)
"""A key that the file does not set and explains all the same: # variant: the run's row in a table."""


@dataclass(frozen=True)
class Comments:
    """Of one file.

    Attributes:
        head: the lines above everything, without Hydra's own.
        keys: by dotted key.
        groups: by group, of the defaults list.
    """

    head: tuple[str, ...]
    keys: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)


@lru_cache(maxsize=128)
def read(path: Path) -> Comments:
    """The comments of a file of conf/."""
    text = path.read_text()
    lines = text.splitlines()
    above = next((index for index, line in enumerate(lines) if not line.startswith("#")), len(lines))
    head = [line.removeprefix("#").removeprefix(" ") for line in lines[:above]]
    found = Comments(tuple(line for line in head if not line.startswith("@package")))
    root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    if isinstance(root, yaml.MappingNode):
        found.keys.update(_keys(root, "", lines))
        for key, value in root.value:
            if key.value == "defaults":
                for entry in value.value:
                    found.groups.update(_keys(entry, "", lines) if isinstance(entry, yaml.MappingNode) else ())
    for name, said in SET_ELSEWHERE.findall("\n".join(lines[above:])):
        found.keys.setdefault(name, said)
    return found


def _keys(node: yaml.MappingNode, prefix: str, lines: list[str]) -> Iterator[tuple[str, str]]:
    for key, value in node.value:
        block = isinstance(value, yaml.CollectionNode) and not value.flow_style
        end = key.end_mark if block else value.end_mark
        name = f"{prefix}{key.value}"
        if end.line < len(lines) and (comment := BESIDE.match(lines[end.line][end.column :])):
            yield name, " ".join([comment[1], *_further(lines, end.line)])
        if block and isinstance(value, yaml.MappingNode):
            yield from _keys(value, f"{name}.", lines)


def _further(lines: list[str], number: int) -> Iterator[str]:
    for line in lines[number + 1 :]:
        if not (comment := OWN_LINE.match(line)):
            return
        yield comment[2]
