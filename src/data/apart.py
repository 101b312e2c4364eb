"""Whether two parts of a set have a file in common, whatever names lead to it."""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path


def shared(some: Sequence[Path], others: Sequence[Path]) -> tuple[Path, Path] | None:
    """The first file that is in both, be it by a link to it or to its folder, under both names; None without any.

    Two links to a third file are no proof: stores of content have one file for all that are alike.
    """
    folder = cache(os.path.realpath)  # of which there are few
    ours, theirs = (
        [
            {os.path.join(folder(path.parent), path.name): path for path in files},  # where they lie
            {os.path.realpath(path): path for path in files if path.is_symlink()},  # where they lead
        ]
        for files in (some, others)
    )
    pairs = ((ours[0], theirs[0]), (ours[0], theirs[1]), (ours[1], theirs[0]))
    return next(((a[at], b[at]) for a, b in pairs for at in sorted(a.keys() & b.keys())), None)
