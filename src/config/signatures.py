"""Settings against the signature they are for: the annotations of a constructor are the schema of its yaml."""

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from omegaconf import DictConfig, ListConfig
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from src.system.errors import UserError, did_you_mean

_SCALARS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    NoneType: "null",
}
_LISTS = (list, tuple, Sequence, Collection, Iterable)


def check(target: Callable[..., Any], node: DictConfig, names: Mapping[str, str]) -> None:
    """Raise UserError for a setting that `target` does not take, or whose value is of another kind.

    Args:
        target: what the node builds.
        node: its settings.
        names: of each setting in the whole configuration, for messages.
    """
    parameters = inspect.signature(target).parameters
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    hints = _hints(target)
    for key, name in names.items():
        if key.startswith("_") and key.endswith("_"):
            continue  # Hydra's own
        if key not in parameters and not takes_any:
            what = getattr(target, "__name__", "this")
            raise UserError(f"{name}: {what} takes no such setting{did_you_mean(key, parameters) or '; leave it out'}")
        value = node[key]
        if isinstance(value, float) and not isfinite(value):
            raise UserError(f"{name} must be a finite number, got {value}")
        if not _fits(value, hints.get(key, Any)):
            near = did_you_mean(value, _choices(hints[key])) if isinstance(value, str) else ""
            raise UserError(f"{name} must be {_described(hints[key])}, got {_shown(value)}{near}")


def unresolved(error: OmegaConfBaseException, name: str) -> str:
    """One line for a value that cannot be read: a reference to nothing, or one that has to be given."""
    if isinstance(error, MissingMandatoryValue):
        return f"{name} has no default; give it: {name}=..."
    return f"{name}: {str(error).splitlines()[0]}"


def _hints(target: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except NameError:  # a library's annotation of something it imports for type checkers only
        return {}


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any or isinstance(hint, TypeVar):
        return True
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is Literal:
        return value in inner and not (isinstance(value, bool) and True not in inner and False not in inner)
    if isinstance(value, DictConfig):
        return hint not in _SCALARS and (origin is Mapping or "_target_" in value)
    if isinstance(value, ListConfig):
        return _fits_list(value, origin, inner)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is hint


def _fits_list(values: ListConfig, origin: Any, inner: tuple[Any, ...]) -> bool:
    if origin is tuple and Ellipsis not in inner:
        return len(values) == len(inner) and all(_fits(*pair) for pair in zip(values, inner, strict=True))
    return origin in _LISTS and all(_fits(value, inner[0]) for value in values)


def _choices(hint: Any) -> list[Any]:
    if get_origin(hint) is Literal:
        return list(get_args(hint))
    return [choice for one in get_args(hint) for choice in _choices(one)]


def _described(hint: Any) -> str:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return "one of " + ", ".join(map(str, inner))
    if origin in (Union, UnionType):
        known = [_described(one) for one in inner if one in _SCALARS or get_origin(one) is not None]
        return " or ".join(dict.fromkeys(known))
    if origin is tuple and Ellipsis not in inner:
        return f"a list of {len(inner)}"
    if origin in _LISTS:
        return f"a list, each {_described(inner[0])}" if inner[0] is not Any else "a list"
    return _SCALARS.get(hint, "a group of settings with _target_")


def _shown(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
