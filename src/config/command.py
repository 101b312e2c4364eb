"""What every command does around its task: help, compose the configuration, answer a user's mistake in one line."""

import functools
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import CompactHydraException, HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from src.config import naming, schema
from src.config.known import demand_known
from src.config.old_names import typed
from src.config.signatures import unresolved
from src.system.errors import DISK, UserError, did_you_mean, one_line, unwritable

CONF = Path(__file__).resolve().parent.parent.parent / "conf"


def answer_help(command: str) -> None:
    """If the command line asks for help, print what Hydra reads from conf/ alone and exit; else do nothing.

    Args:
        command: stem of the root in conf/.
    """
    if not {"--help", "-h"} & set(sys.argv[1:]):
        return
    schema.register()
    naming.register()

    def nothing(config: Any) -> None:
        raise AssertionError("Hydra runs nothing when it is asked for help")

    sys.argv.append(f"hydra.job.name={command}")  # its heading; Hydra would take this file's name
    hydra.main(version_base="1.3", config_path=str(CONF), config_name=command)(nothing)()
    sys.exit()


def entry(name: str) -> Callable[[Callable[[Any], Any]], Callable[..., Any]]:
    """hydra.main for conf/<name>.yaml; a user's mistake ends the command with one line and exit code 1.

    Below Hydra's own message for a key or a choice it does not know stands the one that was probably meant.
    """

    def decorate(task: Callable[[Any], Any]) -> Callable[..., Any]:
        begun = False

        @functools.wraps(task)
        def answered(config: Any) -> Any:
            nonlocal begun
            begun = True
            try:
                with in_one_line():
                    demand_known(config, schema.ROOTS[name])
                    return task(config)
            except CompactHydraException as error:
                if HydraConfig.get().mode == RunMode.MULTIRUN or "HYDRA_FULL_ERROR" in os.environ:
                    raise  # the other jobs go on
                _leave_no_empty_folder()
                sys.exit(str(error))

        main = hydra.main(version_base="1.3", config_path=str(CONF), config_name=name)(answered)

        @functools.wraps(task)
        def command(config: DictConfig | None = None) -> Any:
            if config is not None:
                return main(config)
            nonlocal begun
            begun = False
            sys.argv[1:] = [typed(with_home(argument)) for argument in sys.argv[1:]]
            overrides = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
            _refuse_environment(overrides)
            try:
                return main()
            except SystemExit as end:
                if end.code == 1 and not begun:
                    for line in suggestions(name, overrides):
                        print(line, file=sys.stderr)
                raise

        return command

    return decorate


def in_sweep() -> bool:
    """Whether this process runs a job of a sweep."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def with_home(argument: str) -> str:
    """An argument with `~/` written out, alone (`data.root=~/x`), in a list or in quotes, where shells leave it."""
    return re.sub(r"""(?<=[=,\[:"'])~(?=/)""", lambda _: os.path.expanduser("~"), argument)


@contextmanager
def in_one_line() -> Iterator[None]:
    """Hand a user's mistake inside to Hydra as the one line it prints; anything else keeps its traceback."""
    try:
        yield
    except UserError as error:
        raise CompactHydraException(one_line(error)) from error
    except OmegaConfBaseException as error:
        raise CompactHydraException(unresolved(error, error.full_key or "")) from RuntimeError(str(error))
    except OSError as error:
        if error.errno not in DISK:
            raise
        raise CompactHydraException(unwritable(error)) from error


def suggestions(name: str, overrides: Sequence[str]) -> list[str]:
    """What was probably meant by the overrides that conf/<name>.yaml does not know, a line each."""
    groups = {path.relative_to(CONF).as_posix() for path in CONF.rglob("*") if path.is_dir()}
    known = _keys(name)
    lines = []
    for override in overrides:
        key, _, value = override.partition("=")
        if value and '"' not in value and not _is_grammatical(override):
            lines.append(f"""{override}; did you mean '{key}="{value}"'?""")
        elif key in groups:
            choices = [path.stem for path in (CONF / key).glob("*.yaml")]
            lines += [f"{key}={one}{did_you_mean(one, choices)}" for one in value.split(",") if one not in choices]
        elif key not in known and not key.startswith(("+", "~", "hydra")):
            last = key.rpartition(".")[2]
            at_other_places = [one for one in known if one.rpartition(".")[2] == last]
            if at_other_places:
                lines.append(f"{key}; did you mean {' or '.join(at_other_places[:3])}?")
            else:
                lines.append(f"{key}{did_you_mean(key, [*known, *groups])}")
    return [line for line in lines if line.endswith("?")]


def _is_grammatical(override: str) -> bool:
    """Whether Hydra can read it; brackets, braces and the like need quotes."""
    try:
        return bool(OverridesParser.create().parse_override(override))
    except HydraException:
        return False


def _leave_no_empty_folder() -> None:
    """Hydra has made one before the mistake was seen."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    if folder != Path.cwd() and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _keys(name: str) -> list[str]:
    """All keys of a root configuration, dotted; those below a reference are left to where it points."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        nested = OmegaConf.to_container(compose(name), resolve=False)

    def below(node: Any, prefix: str) -> Iterator[str]:
        for key, child in node.items() if isinstance(node, dict) else ():
            yield f"{prefix}{key}"
            yield from below(child, f"{prefix}{key}.")

    return list(below(nested, ""))


def _refuse_environment(overrides: Sequence[str]) -> None:
    """Before Hydra names a folder by such a value, and so resolves it."""
    for override in overrides:
        if re.search(r"\$\{\s*oc\.env", override):
            key = override.partition("=")[0]
            sys.exit(f"{key}: a configuration takes nothing from the environment, as it is kept; write the value")
