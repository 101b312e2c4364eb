"""What is wrong with a command line, as far as conf/ tells: a line for each mistake, with the mend, before any work."""

import argparse
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from src.config import schema
from src.config.composition import choices, composed, groups, keys_of, module, reader
from src.config.known import demand_known
from src.config.quoting import pasted
from src.config.sweepers import lacking, misled
from src.system.errors import UserError, did_you_mean, one_of
from src.system.unpromised import hydra_arguments

FORM = "settings are written key=value"
PLACEHOLDER = re.compile(r"<[^<>=,]+>|(?:^|/)\.\.\.$")
"""What the docs leave to the reader: outputs/<run>, outputs/..."""
RUN_FOLDERS = ("run", "runs", "resume", "judge", "init_from")


class Line(NamedTuple):
    """A command line, taken apart.

    Attributes:
        options: Hydra's own, with their values.
        overrides: key=value.
        shows: it asks Hydra for something else than to run.
        foreign: it has Hydra read another configuration than conf/ alone.
        sweep: it has -m.
    """

    options: list[str]
    overrides: list[str]
    shows: bool
    foreign: bool
    sweep: bool


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise UserError(message)


def taken_apart(arguments: Sequence[str]) -> Line:
    """Options before overrides, in whatever order they were given; raises UserError for an option without its value."""
    parser = _Parser(parents=[hydra_arguments()[0]], add_help=False)
    known, unknown = parser.parse_known_args(list(arguments))
    overrides = [*known.overrides, *(one for one in unknown if not one.startswith("-"))]
    options = list(arguments)
    for override in overrides:
        options.remove(override)
    tasks = (known.run, known.multirun, vars(known)["cfg"] is not None, known.info is not None, known.shell_completion)
    if sum(tasks) > 1:
        raise UserError("--run, --multirun, --cfg, --info and --shell-completion exclude each other; leave one")
    return Line(
        options=options,
        overrides=[one for one in arguments if one in overrides],
        shows=any((*tasks[2:], known.hydra_help)),
        foreign=any((known.config_path, known.config_name, known.config_dir, known.experimental_rerun)),
        sweep=known.multirun,
    )


@lru_cache(maxsize=1)
def mistakes(name: str, arguments: tuple[str, ...], *, asks: bool = False) -> list[str]:
    """A line for each mistake in the arguments of the command whose root is conf/<name>.yaml.

    Only what Hydra and conf/ know is looked at: grammar, options, keys, choices, values that have to be given.

    Args:
        name: of the root.
        arguments: of the command line.
        asks: for help, which needs no value.
    """
    try:
        if found := list(_bare(name, arguments)):
            return found
        line = taken_apart(arguments)
        if line.foreign:
            return []
        return list(_spelling(name, line)) or _composition(name, line._replace(shows=line.shows or asks))
    except UserError as error:
        return [str(error)]


def _bare(name: str, arguments: Sequence[str]) -> Iterator[str]:
    """Arguments that are neither key=value nor an option of Hydra's: `--epochs 5`, `triplet`, `data.size`."""
    _, own = hydra_arguments()
    valued = {"--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd"}
    valued |= {"--experimental-rerun", "--info", "-i"}
    index = 0
    while index < len(arguments):
        argument, following = arguments[index], (*arguments[index + 1 : index + 2], "")[0]
        value = "" if "=" in following or following.startswith("-") else following
        index += 1
        if argument.startswith("-"):
            key, sign, given = argument.lstrip("-").partition("=")
            if argument in valued:
                index += bool(value)
            elif f"--{key}" in own or argument in own or argument.startswith(("-c", "-p", "-i")):
                if value and key in keys_of(name):  # Hydra has a --run of its own
                    yield f"{argument} {value}: {FORM}; did you mean {key}={value}?"
                    index += 1
            else:
                index += bool(value and not sign)
                said = argument if sign or not value else f"{argument} {value}"
                meant = _meant(name, key.replace("-", "_"))
                ready = f"; did you mean {meant[0]}={given or value or '...'}?" if meant else "; --help lists them"
                yield f"{said}: {FORM}{ready}"
        elif following.startswith("=") or (argument.endswith("=") and value):
            parts = list(arguments[index - 1 : index + 1 + (following == "=")])
            yield f"{' '.join(parts)}: written without spaces: {''.join(parts)}"
            index += len(parts) - 1
        elif "=" not in argument and not argument.startswith("~"):
            yield _valueless(name, argument)


def _valueless(name: str, word: str) -> str:
    of = groups(name)
    if word in of:
        return f"{word} has no value; give one of {', '.join(choices(word))}: {word}=..."
    if word in keys_of(name):
        return f"{word} has no value; give it: {word}=..."
    near = [f"{group}={word}" for group in of if word in choices(group)]
    near.sort(key=lambda one: one.partition("=")[0] not in composed(name))  # a preset after what it sets
    if not near:
        spelt = {one: group for group in of for one in choices(group)}
        nearest = did_you_mean(word, spelt).removeprefix("; did you mean ").removesuffix("?")
        near = [f"{spelt[nearest]}={nearest}"] if nearest else []
    return f"{word}: {FORM}; " + (f"did you mean {' or '.join(near[:3])}?" if near else "--help lists them")


def _meant(name: str, key: str) -> list[str]:
    """Keys and groups that a word was probably meant for: the same at another place, else the nearest."""
    known = [*keys_of(name), *groups(name)]
    if key in known:
        return [key]
    last = key.rpartition(".")[2]
    by_last: dict[str, list[str]] = {}
    for one in known:
        by_last.setdefault(one.rpartition(".")[2], []).append(one)
    if last in by_last:
        return by_last[last][:3]
    for there in (known, list(by_last)):
        if near := did_you_mean(key if there is known else last, there):
            nearest = near.removeprefix("; did you mean ").removesuffix("?")
            return [nearest] if there is known else by_last[nearest][:3]
    return []


def _spelling(name: str, line: Line) -> Iterator[str]:
    """Overrides that cannot be read, hold a placeholder, or choose what is not there."""
    of = groups(name)
    for override in line.overrides:
        key, _, value = override.partition("=")
        if (mark := PLACEHOLDER.search(value.strip("\"'[]"))) is not None:
            what = mark[0].lstrip("/")
            lists = "; python -m src.runs lists the runs" if key in RUN_FOLDERS else ""
            yield f"{override}: {what} stands for a name that is yours to fill in{lists}"
            continue
        try:
            parsed = _parsed(override)
        except HydraException as error:
            ready = f"; did you mean {pasted(key, value)}?" if '"' not in value else f" ({str(error).splitlines()[0]})"
            yield f"{override}: cannot be read{ready}"
            continue
        if key == "resume" and line.sweep:
            yield "resume continues one run at a time; leave out -m"
        elif parsed.is_sweep_override() and not line.sweep:
            listed = "" if key in of else f"; a list is written {key}=[{value}]"
            listed += f", a path with a comma {pasted(key, value)}" if listed and "/" in value else ""
            yield f"{override}: several values make a sweep, which needs -m{listed}"
        elif (needs := lacking(key, value)) is not None:
            yield needs
        elif key in of:
            for one in parsed.sweep_string_iterator() if parsed.is_sweep_override() else [value]:
                try:
                    if one not in ("null", ""):
                        one_of(key, str(one).strip("\"'"), choices(key))
                except UserError as error:
                    yield str(error)


@lru_cache(maxsize=256)
def _parsed(override: str) -> Override:
    (parsed,) = OverridesParser.create(config_loader=reader()).parse_overrides([override])
    return parsed


def _composition(name: str, line: Line) -> list[str]:
    """What composing finds: keys that are not there, values of another type, values that have to be given."""
    first = [_first(override) for override in line.overrides]
    try:
        config = composed(name, *(one for one in first if one is not None)).copy()
    except (HydraException, OmegaConfBaseException) as error:
        if sets := re.match(r"In '([\w/]+)/(\w+)': ConfigKeyError.*\nKey '(\w+)' not in", str(error)):
            return [f"{sets[1]}={sets[2]}: sets {sets[3]}, which {module(name)} has not; choose another"]
        of = groups(name)
        chosen = [one for one in first if one is not None and one.partition("=")[0] in of]
        known = {*keys_of(name, *chosen), *of}
        given = [one.partition("=")[0] for one in first if one is not None]
        unknown = [key for key in given if key not in known and not key.startswith(("+", "~", "hydra"))]
        return [_unknown(name, key) for key in unknown] or [_squeezed(error)]
    swept = [one.partition("=")[0] for one in line.overrides if _parsed(one).is_sweep_override()]
    if line.sweep and "data" in config and (why := misled(config.hydra.runtime.choices, config.data.layout, swept)):
        return [why]
    with open_dict(config):
        del config["hydra"]
    demand_known(config, schema.ROOTS[name])
    missing = [str(key) for key in config if OmegaConf.is_missing(config, key)]
    if not missing or line.shows or config.get("resume") is not None:
        return []
    has, it = ("have", "them") if missing[1:] else ("has", "it")
    return [f"{' and '.join(missing)} {has} no default; give {it}: {' '.join(f'{key}=...' for key in missing)}"]


def _first(override: str) -> str | None:
    """The first of the values of a sweep, in place of them; None where there is none, which is said elsewhere."""
    parsed = _parsed(override)
    if not parsed.is_sweep_override():
        return override
    if not parsed.is_discrete_sweep():
        return None
    value = next(iter(parsed.sweep_string_iterator()), None)
    return None if value is None else f"{parsed.get_key_element()}={value}"


def _unknown(name: str, key: str) -> str:
    meant = _meant(name, key)
    return f"{key}: there is no such setting; " + (
        f"did you mean {' or '.join(meant)}?" if meant else f"python -m {module(name)} --help lists them"
    )


def _squeezed(error: Exception) -> str:
    """Hydra's own message as one line."""
    kept = [line.strip() for one in (error, error.__cause__) if one is not None for line in str(one).splitlines()]
    noise = ("full_key", "object_type", "See https", "To append", "Set the env")
    kept = [line.removeprefix("Error merging override ") for line in kept]
    return ": ".join(line.rstrip(".") for line in kept if line and not line.startswith(noise))
