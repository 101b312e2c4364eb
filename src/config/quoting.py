"""A setting as a user can paste it behind a command."""

import shlex

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException


def pasted(key: str, value: object) -> str:
    """`key=value`, quoted where Hydra's grammar or a shell would take the value apart.

    >>> print(pasted("run", "outputs/mine"))
    run=outputs/mine
    >>> print(pasted("run", "/home/jürgen/a, b"))
    'run="/home/jürgen/a, b"'
    """
    text = str(value)
    bare = f"{key}={text}"
    return shlex.quote(bare if _read_back(bare) == text else f"{key}={QuotedString(text, Quote.double).with_quotes()}")


def _read_back(setting: str) -> str | None:
    try:
        parsed = OverridesParser.create().parse_override(setting)
    except HydraException:
        return None
    return None if parsed.is_sweep_override() else str(parsed.value())
