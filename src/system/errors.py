"""The one exception that means: the user can mend this; and words that several of its messages share."""

import errno
from collections.abc import Iterable
from difflib import get_close_matches

DISK = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EFBIG: "raise the limit on file sizes",
    errno.EROFS: "choose another folder",
    errno.EACCES: "choose another folder",
    errno.EPERM: "choose another folder",
    errno.EEXIST: "choose another folder",
    errno.ENOTDIR: "choose another folder",
}
"""What to do about a disk that takes no more, by errno."""


class UserError(ValueError):
    """A mistake in the configuration or the data: one line that names the thing and the mend.

    Entry points print the line and exit with code 1; anything else keeps its traceback.
    """


def one_line(error: UserError) -> str:
    """The message alone: a process that reads images wraps it in its own traceback, whose last line is ours."""
    return str(error).strip().splitlines()[-1].removeprefix("src.system.errors.UserError: ")


def did_you_mean(name: object, choices: Iterable[object]) -> str:
    """The end of a message: the choice that is nearly `name`, as a question; nothing where none is."""
    spelt = {str(choice).lower(): choice for choice in choices}
    near = get_close_matches(str(name).lower(), spelt, n=1)
    return f"; did you mean {spelt[near[0]]}?" if near else ""


def one_of(name: str, value: object, choices: Iterable[object]) -> None:
    """Raise UserError unless the setting `name` has one of the choices, which are listed."""
    choices = list(choices)
    if value not in choices:
        there = ", ".join(map(str, choices))
        raise UserError(f"{name} must be one of {there}, got {value!r}{did_you_mean(value, choices)}")


def unwritable(error: OSError) -> str:
    """One line for a disk that is full, or a place that may not be written."""
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}cannot be written ({error.strerror}); {DISK.get(error.errno or 0, 'choose another folder')}"
