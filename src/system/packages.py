"""Packages that an extra brings: whether they are there, and the line that says how they come."""

from importlib.util import find_spec

from src.system.errors import UserError


def demand(what: str, *modules: str, extra: str, further: str = "") -> None:
    """Raise UserError, see `lacking`, where a package is missing."""
    if (line := lacking(what, *modules, extra=extra, further=further)) is not None:
        raise UserError(line)


def lacking(what: str, *modules: str, extra: str, further: str = "") -> str | None:
    """The line that says which packages are missing and how they come; None where all are there.

    Args:
        what: needs them, as its user named it.
        modules: of theirs; nothing is imported but what these lie in.
        extra: of pyproject.toml, that brings them.
        further: ends the line: what else is to be done, or done instead.
    """
    missing = [name.rpartition(".")[2].replace("_", "-") for name in modules if not _there(name)]
    if not missing:
        return None
    word = "packages" if missing[1:] else "package"
    return f"{what} needs the {word} {' and '.join(missing)}; pip install -e '.[{extra}]'{further}"


def _there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # the package that it would be a part of
        return False
