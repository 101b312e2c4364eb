"""Whether two parts of a set have a file in common, whatever names lead to it."""

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Places(NamedTuple):
    """Where files lie, by a path without links to folders, and where those that are links lead."""

    lying: Mapping[str, Path]
    leading: Mapping[str, Path]


def places(files: Sequence[Path]) -> Places:
    """Of the files of one part; each is asked once whether it is a link."""
    folder = cache(os.path.realpath)  # of which there are few
    return Places(
        {os.path.join(folder(path.parent), path.name): path for path in files},
        {os.path.realpath(path): path for path in files if path.is_symlink()},
    )


def shared(ours: Places, theirs: Places) -> tuple[Path, Path] | None:
    """The first file that is in both, be it by a link to it or to its folder, under both names; None without any.

    Two links to a third file are no proof: stores of content have one file for all that are alike.
    """
    pairs = ((ours.lying, theirs.lying), (ours.lying, theirs.leading), (ours.leading, theirs.lying))
    return next(((a[at], b[at]) for a, b in pairs for at in sorted(a.keys() & b.keys())), None)
