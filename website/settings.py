"""A yaml of conf/ with its comments: what it builds, and each key with its default and what is said of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

_COMMENT = re.compile(r"\s*#\s?(.*?)\s*$")
_COMMENTED_OUT = re.compile(r"(\w+): (.*)")
_HYDRAS = {"defaults", "hydra", "_target_", "_partial_"}


@dataclass(frozen=True)
class Setting:
    """A key of a yaml, dotted; `default` as it is written, or empty where the key holds others."""

    key: str
    default: str
    comment: str
    builds: str = ""


@dataclass(frozen=True)
class Choice:
    """What a yaml says: the comments at its top and end, what it builds, its defaults list, its keys."""

    about: str
    builds: str
    defaults: list[Setting]
    is_global: bool
    settings: list[Setting]
    ends: str


def read(text: str) -> Choice:
    """A yaml with its comments.

    A comment belongs to the key that it follows on the line, and goes on in lines of comment below that are indented
    deeper than the key; or to the key that it stands above, in the same column. A block at the top of the file is about
    the whole file. `# name: ...` above a key is a setting that the file leaves out.
    """
    lines = text.splitlines()
    root = yaml.compose(text)
    if not isinstance(root, yaml.MappingNode):
        raise ValueError("a configuration is a mapping")
    top = _block(lines, 0)
    if top == root.start_mark.line and "" in lines[:top]:
        top = lines.index("")
    claimed = set(range(top))
    own = {key.value: value for key, value in root.value}
    defaults = list(_defaults(own["defaults"], lines, claimed)) if "defaults" in own else []
    builds, of_class = _target(root, lines, claimed)
    settings = list(_settings(root, lines, claimed, ""))
    ends = [lines[number] for number in range(len(lines)) if number not in claimed and _COMMENT.match(lines[number])]
    about = [_comment(line) for line in lines[:top]]
    return Choice(
        about="\n".join(line for line in [*about, of_class] if not line.startswith("@package")).strip(),
        builds=builds,
        defaults=defaults,
        is_global="@package _global_" in about,
        settings=settings,
        ends=" ".join(map(_comment, ends)),
    )


def _settings(node: yaml.MappingNode, lines: list[str], claimed: set[int], prefix: str) -> Iterator[Setting]:
    for key, value in node.value:
        line, column = key.start_mark.line, key.start_mark.column
        above = line
        while above - 1 not in claimed and above > 0 and lines[above - 1].startswith(" " * column + "#"):
            above -= 1
        claimed |= set(range(above, line))
        comments = [_comment(one) for one in lines[above:line]]
        left_out = [_COMMENTED_OUT.fullmatch(one) for one in comments]
        comments = [one for one, match in zip(comments, left_out, strict=True) if not match]
        yield from (Setting(prefix + match[1], "", match[2]) for match in left_out if match)

        is_block = isinstance(value, yaml.CollectionNode) and not value.flow_style
        is_text = isinstance(value, yaml.ScalarNode) and value.style in ("|", ">")
        end = key.end_mark if is_block or is_text or value.start_mark == value.end_mark else value.end_mark
        comment = " ".join([*comments, *_beside(end, lines, claimed, column)])
        if (key.value in _HYDRAS and not prefix) or key.value in ("_target_", "_partial_"):
            if isinstance(value, yaml.CollectionNode):
                claimed |= _within(value, lines)
            continue
        name = f"{prefix}{key.value}"
        if isinstance(value, yaml.MappingNode) and not value.flow_style:
            builds, of_class = _target(value, lines, claimed)
            if says := " ".join(filter(None, [comment, of_class])) or builds:
                yield Setting(name, "", says if says != builds else "", builds)
            yield from _settings(value, lines, claimed, f"{name}.")
        else:
            yield Setting(name, _written(value, lines), comment)
            if is_block or is_text:
                claimed |= _within(value, lines)


def _target(node: yaml.MappingNode, lines: list[str], claimed: set[int]) -> tuple[str, str]:
    """What a mapping builds, and the comment beside it; empty where it builds nothing."""
    for key, value in node.value:
        if key.value == "_target_":
            return value.value, " ".join(_beside(value.end_mark, lines, claimed, key.start_mark.column))
    return "", ""


def _beside(end: yaml.Mark, lines: list[str], claimed: set[int], column: int) -> Iterator[str]:
    """The comment on the line where something ends, and its lines below that are indented deeper than `column`."""
    if beside := re.match(r":?\s*#\s?(.*?)\s*$", lines[end.line][end.column :]):
        yield beside[1]
        below = end.line + 1
        while below < len(lines) and re.match(rf" {{{column + 1},}}#", lines[below]):
            yield _comment(lines[below])
            claimed.add(below)
            below += 1


def _written(value: yaml.Node, lines: list[str]) -> str:
    """The value as the file has it, on one line."""
    first, last = value.start_mark, value.end_mark
    if isinstance(value, yaml.SequenceNode) and not value.flow_style:
        if all(isinstance(one, yaml.ScalarNode) for one in value.value):
            return "[" + ", ".join(one.value for one in value.value) + "]"
        return f"{len(value.value)} entries"
    parts = lines[first.line : last.line + 1]
    parts[-1] = parts[-1][: last.column]
    parts[0] = parts[0][first.column :]
    return " ".join(part.strip() for part in parts).strip()


def _within(value: yaml.Node, lines: list[str]) -> set[int]:
    """Lines of a value of several, which for YAML ends where the next key begins."""
    last = value.end_mark.line
    while last > value.start_mark.line and (last >= len(lines) or re.match(r"\s*(#|$)", lines[last - 1])):
        last -= 1
    return set(range(value.start_mark.line, last))


def _defaults(node: yaml.Node, lines: list[str], claimed: set[int]) -> Iterator[Setting]:
    """Entries of a defaults list, without Hydra's and the schema's: a group and its choice, or a file and nothing."""
    for one in node.value:
        pairs = one.value if isinstance(one, yaml.MappingNode) else [(one, None)]
        for key, choice in pairs:
            comment = " ".join(_beside((choice or key).end_mark, lines, claimed, key.start_mark.column))
            if key.value != "_self_" and not key.value.endswith("_schema") and "hydra/" not in key.value:
                yield Setting(key.value, choice.value if choice else "", comment)


def _block(lines: list[str], start: int) -> int:
    """The first line from `start` on that is neither a comment nor empty."""
    while start < len(lines) and (not lines[start].strip() or lines[start].startswith("#")):
        start += 1
    return start


def _comment(line: str) -> str:
    match = _COMMENT.match(line)
    return match[1] if match else ""
